"""The messages of the Open Inference Protocol V2 over gRPC, built from the table below.

The numbers are those of the published `grpc_predict_v2.proto` (KServe, Triton). They live in a pool of their own: a
process that has also loaded a client's generated classes has no second definition of the same names, and no generated
code depends on the version of protobuf. A test compares each field with the stock client's.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"

# Message, then its fields, almost as in a .proto file: [repeated | map] type name number [member of the oneof].
_TABLE = """
ServerLiveRequest
ServerLiveResponse: bool live 1
ServerReadyRequest
ServerReadyResponse: bool ready 1
ModelReadyRequest: string name 1, string version 2
ModelReadyResponse: bool ready 1
ServerMetadataRequest
ServerMetadataResponse: string name 1, string version 2, repeated string extensions 3
ModelMetadataRequest: string name 1, string version 2
ModelMetadataResponse: string name 1, repeated string versions 2, string platform 3, repeated
    .TensorMetadata inputs 4, repeated .TensorMetadata outputs 5
ModelMetadataResponse.TensorMetadata: string name 1, string datatype 2, repeated int64 shape 3
InferParameter: bool bool_param 1 choice, int64 int64_param 2 choice, string string_param 3 choice,
    double double_param 4 choice, uint64 uint64_param 5 choice
InferTensorContents: repeated bool bool_contents 1, repeated int32 int_contents 2, repeated int64
    int64_contents 3, repeated uint32 uint_contents 4, repeated uint64 uint64_contents 5, repeated
    float fp32_contents 6, repeated double fp64_contents 7, repeated bytes bytes_contents 8
ModelInferRequest: string model_name 1, string model_version 2, string id 3, map InferParameter
    parameters 4, repeated .InferInputTensor inputs 5, repeated .InferRequestedOutputTensor outputs
    6, repeated bytes raw_input_contents 7
ModelInferRequest.InferInputTensor: string name 1, string datatype 2, repeated int64 shape 3, map
    InferParameter parameters 4, InferTensorContents contents 5
ModelInferRequest.InferRequestedOutputTensor: string name 1, map InferParameter parameters 2
ModelInferResponse: string model_name 1, string model_version 2, string id 3, map InferParameter
    parameters 4, repeated .InferOutputTensor outputs 5, repeated bytes raw_output_contents 6
ModelInferResponse.InferOutputTensor: string name 1, string datatype 2, repeated int64 shape 3, map
    InferParameter parameters 4, InferTensorContents contents 5
RepositoryIndexRequest: string repository_name 1, bool ready 2
RepositoryIndexResponse: repeated .ModelIndex models 1
RepositoryIndexResponse.ModelIndex: string name 1, string version 2, string state 3, string reason 4
"""
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _Field.TYPE_BOOL,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "float": _Field.TYPE_FLOAT,
    "double": _Field.TYPE_DOUBLE,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
}


def _build() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="vitok/open_inference.proto", package=PACKAGE, syntax="proto3"
    )
    made: dict[str, descriptor_pb2.DescriptorProto] = {}
    for line in _TABLE.strip().replace("\n    ", " ").splitlines():
        name, _, fields = line.partition(": ")
        outer, _, inner = name.rpartition(".")
        message = made[name] = made[outer].nested_type.add() if outer else file.message_type.add()
        message.name = inner
        for field in filter(None, fields.split(", ")):
            _add_field(message, name, field.split())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in made
        if "." not in name
    }


def _add_field(message: descriptor_pb2.DescriptorProto, owner: str, words: list[str]) -> None:
    label = words.pop(0) if words[0] in ("repeated", "map") else ""
    kind, name, number, *oneof = words
    field = message.field.add(name=name, number=int(number))
    field.label = _Field.LABEL_REPEATED if label else _Field.LABEL_OPTIONAL
    if label == "map":
        entry = message.nested_type.add(name="ParametersEntry")
        entry.options.map_entry = True
        _add_field(entry, "", ["string", "key", "1"])
        _add_field(entry, "", [kind, "value", "2"])
        kind = ".ParametersEntry"
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{owner}{kind}" if kind.startswith(".") else f".{PACKAGE}.{kind}"
    if oneof:
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0


MESSAGES = _build()
