"""As much of protocol buffers as it takes to write behind an ONNX file: messages that are concatenated are read as one."""


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number, payload):
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def metadata(key, value):
    """ModelProto.metadata_props (14): a StringStringEntryProto."""
    return field(14, field(1, key.encode()) + field(2, value.encode()))


def outputs(names):
    """More of ModelProto.graph (7): GraphProto.output (12), each with nothing but its name (1)."""
    return field(7, b"".join(field(12, field(1, name.encode())) for name in names))
