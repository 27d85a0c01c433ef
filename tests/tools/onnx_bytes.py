"""Just enough of ONNX's protobuf and NumPy's .npy, by hand, to make small models and tensors without any package."""
import struct

F32, U8, I64 = 1, 2, 7


def varint(n):
    out = b''
    n &= (1 << 64) - 1
    while True:
        out += bytes([n & 0x7f | (0x80 if n > 0x7f else 0)])
        n >>= 7
        if not n:
            return out


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def value_info(name, dtype, dims):
    shape = b''.join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, shape)))


def node(op, inputs, outputs, name=''):
    return b''.join(field(1, i) for i in inputs) + b''.join(field(2, o) for o in outputs) + field(3, name) + field(4, op)


def model(nodes, inputs, outputs, opset=13):
    graph = b''.join(field(1, n) for n in nodes) + field(2, 'test') + b''.join(field(11, i) for i in inputs) + b''.join(field(12, o) for o in outputs)
    return field(1, 8) + field(2, 'fovea-tests') + field(7, graph) + field(8, field(1, '') + field(2, opset))


def npy(dtype, shape, values):
    code, letter = {F32: ('<f4', 'f'), U8: ('|u1', 'B'), I64: ('<i8', 'q')}[dtype]
    header = "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }" % (code, ''.join('%d, ' % d for d in shape))
    header += ' ' * (63 - (10 + len(header)) % 64) + '\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header.encode() + struct.pack('<%d%s' % (len(values), letter), *values)


def read_npy(path):
    with open(path, 'rb') as file:
        data = file.read()
    length = struct.unpack('<H', data[8:10])[0]
    header = eval(data[10:10 + length].decode(), {})  # our own output
    letter = {'<f4': 'f', '|u1': 'B', '<i8': 'q'}[header['descr']]
    body = data[10 + length:]
    return header['shape'], list(struct.unpack('<%d%s' % (len(body) // struct.calcsize(letter), letter), body))
