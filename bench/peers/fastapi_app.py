"""A plain FastAPI endpoint, as most teams write it first."""

from common import probabilities, session
from fastapi import FastAPI
from pydantic import BaseModel

MODEL = session()
app = FastAPI()


class Rows(BaseModel):
    inputs: list[list[float]]


class Answer(BaseModel):
    probabilities: list[list[float]]


@app.get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/predict")
async def predict(rows: Rows) -> Answer:
    return Answer(probabilities=probabilities(MODEL, rows.inputs).tolist())
