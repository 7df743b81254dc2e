"""Images as numbers: real photographs and digits, whole and broken."""

import base64
import io
import sys

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from sklearn.datasets import load_digits, load_sample_images

from vitok.errors import UserMistake
from vitok.stats import images
from vitok.stats.images import EXAMPLE, FIGURES, is_image, require_images, summaries, summarised

PHOTOS = load_sample_images().images
LINES = ["a line of prose that is long enough", "another line of prose, as long", "iVBO, not quite an image"]


def coded(image, form="PNG"):
    content = io.BytesIO()
    image.save(content, form)
    return base64.b64encode(content.getvalue()).decode()


def parts(number, size=96, seed=0, alter=lambda image: image, form="JPEG"):
    """Cuts of the photographs that scikit-learn ships."""
    rng, found = np.random.default_rng(seed), []
    for place in range(number):
        photo = PHOTOS[place % 2]
        top, left = (int(rng.integers(0, end - size)) for end in photo.shape[:2])
        cut = Image.fromarray(photo[top : top + size, left : left + size])
        found.append(coded(alter(cut), form))
    return found


def figures(text):
    row = summaries(pl.DataFrame({"photo": [text]}), ["photo"]).row(0, named=True)
    return {name.removeprefix("photo:"): value for name, value in row.items()}


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "TIFF"])
def test_images_are_known_by_how_they_begin_and_other_texts_are_none(form):
    some = parts(4, form=form)
    assert is_image(pl.Series(some))
    assert is_image(pl.Series([None, *(f"data:image/{form.lower()};base64,{text}" for text in some)]))
    assert not is_image(pl.Series(LINES * 30))
    assert not is_image(pl.Series([*some, *LINES]))
    assert not is_image(pl.Series([None], dtype=pl.String))
    assert not is_image(pl.Series([1.0]))


def test_figures_are_those_that_numpy_finds():
    photo = PHOTOS[0][:300, :400]
    found = figures(coded(Image.fromarray(photo)))
    assert (found["width"], found["height"], found["decoded"]) == (400, 300, "true")
    grey = photo / 255 @ [0.299, 0.587, 0.114]
    assert found["brightness"] == pytest.approx(grey.mean(), abs=1e-9)
    assert found["contrast"] == pytest.approx(grey.std(), abs=1e-9)
    for name, place in (("red", 0), ("green", 1), ("blue", 2)):
        assert found[name] == pytest.approx(photo[:, :, place].mean() / 255, abs=1e-9)
    laplacian = [
        grey[i - 1, j] + grey[i + 1, j] + grey[i, j - 1] + grey[i, j + 1] - 4 * grey[i, j]
        for i in range(1, 299)
        for j in range(1, 399)
    ]
    assert found["sharpness"] == pytest.approx(np.var(laplacian), rel=1e-9)
    assert found["bytes"] == len(base64.b64decode(coded(Image.fromarray(photo))))


def test_a_white_and_a_black_image_are_at_the_ends_and_digits_are_grey():
    white, black = (figures(coded(Image.new("RGB", (5, 5), colour))) for colour in ("white", "black"))
    assert (white["brightness"], white["contrast"], white["sharpness"]) == (pytest.approx(1), 0, 0)
    assert (black["brightness"], black["red"]) == (0, 0)
    digit = Image.fromarray((load_digits().images[3] * 255 / 16).astype(np.uint8))
    found = figures(coded(digit))
    assert (found["width"], found["height"]) == (8, 8)
    assert found["red"] == found["green"] == found["blue"]
    assert found["red"] == pytest.approx(load_digits().images[3].mean() / 16, abs=0.01)


def test_a_large_image_is_looked_at_smaller_and_keeps_its_size():
    large = Image.fromarray(PHOTOS[0]).resize((3000, 2000))
    found = figures(coded(large, "JPEG"))
    assert (found["width"], found["height"]) == (3000, 2000)
    assert found["brightness"] == pytest.approx(
        figures(coded(Image.fromarray(PHOTOS[0])))["brightness"], abs=0.01
    )


@pytest.mark.parametrize(
    "broken",
    [
        "iVBORw0KGgo",
        parts(1)[0][:400],
        "no image at all",
        "",
        "data:image/png;base64,%%%",
        coded(Image.new("1", (9000, 9000))),
        coded(Image.new("1", (12000, 12000))),
    ],
    ids=["head alone", "cut off", "prose", "empty", "no base64", "many pixels", "a bomb"],
)
def test_what_cannot_be_decoded_is_counted_and_nothing_else_is_told_of_it(broken):
    found = figures(broken)
    assert found["decoded"] == "false"
    assert all(found[name] is None for name in FIGURES if name != "bytes")


def test_a_missing_image_is_missing_and_no_failure():
    assert set(figures(None).values()) == {None}


def test_columns_are_named_and_found_again():
    frame = summaries(pl.DataFrame({"photo": parts(2), "scan": [EXAMPLE, None]}), ["photo", "scan"])
    assert frame.columns[:3] == ["photo:width", "photo:height", "photo:brightness"]
    assert frame["scan:decoded"].to_list() == ["true", None]
    assert summarised([*frame.columns, "score", "note:length"]) == ["photo", "scan"]


def test_a_column_that_is_said_to_hold_images_must():
    require_images(pl.Series("photo", parts(3)), "data.images")
    with pytest.raises(UserMistake, match="column note: holds no images, but such as 'a line of prose"):
        require_images(pl.Series("note", LINES), "data.images")
    with pytest.raises(UserMistake, match="is empty"):
        require_images(pl.Series("note", [None], dtype=pl.String), "data.images")


def test_without_the_package_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UserMistake, match=r"pip install 'vitok\[images\]'"):
        summaries(pl.DataFrame({"photo": [EXAMPLE]}), ["photo"])
    with pytest.raises(UserMistake, match="pillow is not installed"):
        require_images(pl.Series("photo", [EXAMPLE]), "data.images")
    monkeypatch.setattr(images, "find_spec", lambda name: None)
    assert not images.can_decode()


def dimmed(image):
    return ImageEnhance.Brightness(image).enhance(0.5)


def blurred(image):
    return image.filter(ImageFilter.GaussianBlur(3))


@pytest.mark.parametrize(("alter", "figure"), [(dimmed, "brightness"), (blurred, "sharpness")])
def test_dim_light_and_a_dirty_lens_move_what_they_should_against_real_photographs(alter, figure):
    from vitok.stats.bins import fit_bins
    from vitok.stats.profiles import profile, reference_of
    from vitok.stats.shifts import shift_of

    def counted(texts):
        return summaries(pl.DataFrame({"photo": texts}), ["photo"])

    reference = counted(parts(300, seed=1))
    numbers = [name for name in reference.columns if not name.endswith(":decoded")]
    bins = fit_bins(reference, numbers, ["photo:decoded"])
    known = reference_of(reference, bins)
    then = known.profile.columns[f"photo:{figure}"]
    same = shift_of(then, profile(counted(parts(200, seed=2)), bins).columns[f"photo:{figure}"])
    moved = shift_of(then, profile(counted(parts(200, seed=2, alter=alter)), bins).columns[f"photo:{figure}"])
    assert same is not None
    assert moved is not None
    assert moved.psi > 0.5
    assert same.psi < 0.15
