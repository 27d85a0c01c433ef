#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "import/onnx_internal.h"

enum { BORROW_BYTES = 256 }; /* smaller tensors are copied: they are not aligned as kernels like it */

/* TensorProto.DataType. */
enum {
  ONNX_FLOAT = 1, ONNX_UINT8, ONNX_INT8, ONNX_UINT16, ONNX_INT16, ONNX_INT32, ONNX_INT64, ONNX_STRING, ONNX_BOOL, ONNX_FLOAT16, ONNX_DOUBLE,
  ONNX_UINT32, ONNX_UINT64, ONNX_COMPLEX64, ONNX_COMPLEX128, ONNX_BFLOAT16,
};

static const struct {
  FvDtype dtype;
  const char *name;
} types[] = {
  {FV_DTYPE_NONE, "undefined"}, {FV_DTYPE_F32, "float"}, {FV_DTYPE_U8, "uint8"}, {FV_DTYPE_I8, "int8"}, {FV_DTYPE_U16, "uint16"},
  {FV_DTYPE_I16, "int16"}, {FV_DTYPE_I32, "int32"}, {FV_DTYPE_I64, "int64"}, {FV_DTYPE_NONE, "string"}, {FV_DTYPE_BOOL, "bool"},
  {FV_DTYPE_F16, "float16"}, {FV_DTYPE_F64, "double"}, {FV_DTYPE_U32, "uint32"}, {FV_DTYPE_U64, "uint64"}, {FV_DTYPE_NONE, "complex64"},
  {FV_DTYPE_NONE, "complex128"}, {FV_DTYPE_BF16, "bfloat16"}, {FV_DTYPE_NONE, "float8e4m3fn"}, {FV_DTYPE_NONE, "float8e4m3fnuz"},
  {FV_DTYPE_NONE, "float8e5m2"}, {FV_DTYPE_NONE, "float8e5m2fnuz"}, {FV_DTYPE_NONE, "uint4"}, {FV_DTYPE_NONE, "int4"},
};
enum { TYPES = sizeof types / sizeof types[0] };

FvDtype fv_onnx_dtype(int32_t number) { return number > 0 && number < TYPES ? types[number].dtype : FV_DTYPE_NONE; }
const char *fv_onnx_dtype_name(int32_t number) { return number >= 0 && number < TYPES ? types[number].name : "unknown"; }

static int read_shape(FvImporter *in, const Onnx__TensorProto *proto, const char *where, FvTensor *tensor) {
  tensor->dtype = fv_onnx_dtype(proto->data_type);
  if (tensor->dtype == FV_DTYPE_NONE)
    return fv_error_set(in->err, FV_ERR_UNSUPPORTED, "%s has elements of type %s, which is not supported", where,
                        fv_onnx_dtype_name(proto->data_type));
  if (proto->n_dims > FV_MAX_RANK)
    return fv_error_set(in->err, FV_ERR_LIMIT, "%s has %zu dimensions; the limit is %d", where, proto->n_dims, FV_MAX_RANK);
  int64_t count = 1;
  for (size_t d = 0; d < proto->n_dims; d++) {
    int64_t dim = proto->dims[d];
    if (dim < 0) return fv_error_set(in->err, FV_ERR_FORMAT, "%s has the negative dimension %lld", where, (long long)dim);
    if (dim > FV_MAX_DIM || !fv_mul_ok(count, dim, &count) || count > FV_MAX_ELEMENTS)
      return fv_error_set(in->err, FV_ERR_LIMIT, "%s has more than %lld elements", where, (long long)FV_MAX_ELEMENTS);
    tensor->dims[tensor->rank++] = dim;
  }
  fv_tensor_set_contiguous(tensor);
  return 0;
}

static int wrong_length(FvImporter *in, const char *where, const FvTensor *tensor, size_t found) {
  char text[128];
  return fv_error_set(in->err, FV_ERR_FORMAT, "%s is declared %s, but the file holds %zu %s for it", where,
                      fv_tensor_describe(tensor, text, sizeof text), found, found == 1 ? "element" : "elements");
}

static int allocate(FvImporter *in, FvTensor *tensor, size_t bytes) {
  tensor->data = fv_arena_alloc(&in->graph->arena, bytes);
  return tensor->data ? 0 : fv_onnx_no_memory(in);
}

static void normalise_bools(const FvTensor *tensor) {
  uint8_t *values = tensor->data;
  int64_t count = tensor->dtype == FV_DTYPE_BOOL ? fv_tensor_count(tensor) : 0;
  for (int64_t i = 0; i < count; i++) values[i] = values[i] != 0;
}

static int read_raw(FvImporter *in, const Onnx__TensorProto *proto, const char *where, FvTensor *tensor, size_t bytes) {
  if (proto->raw_data.len != bytes) {
    char text[128];
    return fv_error_set(in->err, FV_ERR_FORMAT, "%s is declared %s (%zu bytes), but the file holds %zu bytes for it", where,
                        fv_tensor_describe(tensor, text, sizeof text), bytes, proto->raw_data.len);
  }
  if (bytes >= BORROW_BYTES) {
    tensor->data = proto->raw_data.data;
    return 0;
  }
  int result = allocate(in, tensor, bytes);
  if (result == 0 && bytes) memcpy(tensor->data, proto->raw_data.data, bytes);
  return result;
}

/* int32_data carries everything of up to 32 bits; binary16 and bfloat16 as their bits. */
static bool store_int32(const FvTensor *tensor, size_t i, int32_t value) {
  switch (tensor->dtype) {
    case FV_DTYPE_I32: ((int32_t *)tensor->data)[i] = value; return true;
    case FV_DTYPE_I16: ((int16_t *)tensor->data)[i] = (int16_t)value; return value == (int16_t)value;
    case FV_DTYPE_I8: ((int8_t *)tensor->data)[i] = (int8_t)value; return value == (int8_t)value;
    case FV_DTYPE_U8:
    case FV_DTYPE_BOOL: ((uint8_t *)tensor->data)[i] = (uint8_t)value; return value == (uint8_t)value;
    default: ((uint16_t *)tensor->data)[i] = (uint16_t)value; return value == (uint16_t)value;
  }
}

static int read_int32s(FvImporter *in, const Onnx__TensorProto *proto, const char *where, FvTensor *tensor, size_t bytes) {
  int result = allocate(in, tensor, bytes);
  for (size_t i = 0; result == 0 && i < proto->n_int32_data; i++)
    if (!store_int32(tensor, i, proto->int32_data[i]))
      return fv_error_set(in->err, FV_ERR_FORMAT, "%s: element %zu, %d, does not fit its type %s", where, i, proto->int32_data[i],
                          fv_dtype_name(tensor->dtype));
  return result;
}

static int read_uint32s(FvImporter *in, const Onnx__TensorProto *proto, const char *where, FvTensor *tensor, size_t bytes) {
  int result = allocate(in, tensor, bytes);
  for (size_t i = 0; result == 0 && i < proto->n_uint64_data; i++) {
    if (proto->uint64_data[i] > UINT32_MAX)
      return fv_error_set(in->err, FV_ERR_FORMAT, "%s: element %zu does not fit its type u32", where, i);
    ((uint32_t *)tensor->data)[i] = (uint32_t)proto->uint64_data[i];
  }
  return result;
}

/* The typed field that holds elements of this type, as count and, where its elements are stored as ours are, memory. */
static size_t typed_field(const Onnx__TensorProto *proto, FvDtype dtype, void **same) {
  *same = NULL;
  switch (dtype) {
    case FV_DTYPE_F32: *same = proto->float_data; return proto->n_float_data;
    case FV_DTYPE_F64: *same = proto->double_data; return proto->n_double_data;
    case FV_DTYPE_I64: *same = proto->int64_data; return proto->n_int64_data;
    case FV_DTYPE_U64: *same = proto->uint64_data; return proto->n_uint64_data;
    case FV_DTYPE_U32: return proto->n_uint64_data;
    default: return proto->n_int32_data;
  }
}

static int read_typed(FvImporter *in, const Onnx__TensorProto *proto, const char *where, FvTensor *tensor, size_t bytes) {
  void *same;
  size_t found = typed_field(proto, tensor->dtype, &same);
  if (found != (size_t)fv_tensor_count(tensor)) return wrong_length(in, where, tensor, found);
  if (same && bytes >= BORROW_BYTES) {
    tensor->data = same;
    return 0;
  }
  if (same) {
    int result = allocate(in, tensor, bytes);
    if (result == 0) memcpy(tensor->data, same, bytes);
    return result;
  }
  return tensor->dtype == FV_DTYPE_U32 ? read_uint32s(in, proto, where, tensor, bytes) : read_int32s(in, proto, where, tensor, bytes);
}

typedef struct External {
  const char *location;
  int64_t offset, length; /* length -1: not given */
} External;

static bool parse_size(const char *text, int64_t *value) {
  char *end;
  errno = 0;
  if (*text < '0' || *text > '9') return false;
  long long parsed = strtoll(text, &end, 10);
  if (errno || *end || parsed > FV_MAX_MODEL_BYTES) return false;
  *value = parsed;
  return true;
}

static int parse_external(FvImporter *in, const Onnx__TensorProto *proto, const char *where, External *external) {
  *external = (External){.length = -1};
  for (size_t i = 0; i < proto->n_external_data; i++) {
    const char *key = proto->external_data[i]->key, *value = proto->external_data[i]->value;
    if (!key || !value) continue;
    if (strcmp(key, "location") == 0) external->location = value;
    if ((strcmp(key, "offset") == 0 && !parse_size(value, &external->offset)) ||
        (strcmp(key, "length") == 0 && !parse_size(value, &external->length)))
      return fv_error_set(in->err, FV_ERR_FORMAT, "%s: the %s of its external data, '%.64s', is not a size", where, key, value);
  }
  const char *name = external->location;
  if (!name || !*name) return fv_error_set(in->err, FV_ERR_FORMAT, "%s: its external data has no location", where);
  if (strlen(name) > 255 || strpbrk(name, "/\\") || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return fv_error_set(in->err, FV_ERR_FORMAT, "%s: external data '%.128s' is refused: it must be a file beside the model", where, name);
  if (!in->directory)
    return fv_error_set(in->err, FV_ERR_UNSUPPORTED, "%s: external data '%.128s' is refused for a model that is not read from a file", where, name);
  return 0;
}

/* Opens the file beside the model. Links are not followed: they could lead anywhere. */
static int open_external(FvImporter *in, const char *where, const char *name, int *fd) {
  struct stat info;
  int directory = open(in->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  *fd = directory < 0 ? -1 : openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  int error = errno;
  if (directory >= 0) close(directory);
  if (*fd < 0 && error == ELOOP)
    return fv_error_set(in->err, FV_ERR_FORMAT, "%s: external data '%.128s' is refused: it is a symbolic link", where, name);
  if (*fd < 0) return fv_error_set(in->err, FV_ERR_IO, "%s: external data '%.128s': %s", where, name, strerror(error));
  if (fstat(*fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size <= FV_MAX_MODEL_BYTES) return 0;
  close(*fd);
  return fv_error_set(in->err, FV_ERR_FORMAT, "%s: external data '%.128s' is not a regular file of at most %lld bytes", where, name,
                      (long long)FV_MAX_MODEL_BYTES);
}

static bool read_fully(int fd, char *data, size_t size, int64_t offset) {
  for (size_t done = 0; done < size;) {
    ssize_t n = pread(fd, data + done, size - done, (off_t)(offset + (int64_t)done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += (size_t)n;
  }
  return true;
}

static int read_external(FvImporter *in, const Onnx__TensorProto *proto, const char *where, FvTensor *tensor, size_t bytes) {
  External external;
  int fd, result = parse_external(in, proto, where, &external);
  if (result < 0) return result;
  if (external.length >= 0 && (uint64_t)external.length != bytes)
    return fv_error_set(in->err, FV_ERR_FORMAT, "%s needs %zu bytes, but its external data is said to have %lld", where, bytes,
                        (long long)external.length);
  /* Many tensors may name the same bytes: the sum is bounded, not the file alone. */
  in->external_bytes += (int64_t)bytes;
  if (in->external_bytes > FV_MAX_ARENA_BYTES)
    return fv_error_set(in->err, FV_ERR_LIMIT, "%s: external data of more than %lld bytes in all", where, (long long)FV_MAX_ARENA_BYTES);
  result = open_external(in, where, external.location, &fd);
  if (result < 0) return result;
  struct stat info;
  if (fstat(fd, &info) < 0 || external.offset > info.st_size || (uint64_t)(info.st_size - external.offset) < bytes)
    result = fv_error_set(in->err, FV_ERR_FORMAT, "%s: external data '%.128s' is truncated", where, external.location);
  if (result == 0) result = allocate(in, tensor, bytes);
  if (result == 0 && !read_fully(fd, tensor->data, bytes, external.offset))
    result = fv_error_set(in->err, FV_ERR_IO, "%s: external data '%.128s' cannot be read", where, external.location);
  close(fd);
  return result;
}

int fv_onnx_read_tensor(FvImporter *in, const Onnx__TensorProto *proto, const char *where, FvTensor *tensor) {
  *tensor = (FvTensor){0};
  int result = read_shape(in, proto, where, tensor);
  if (result < 0) return result;
  size_t bytes = (size_t)fv_tensor_count(tensor) * fv_dtype_size(tensor->dtype);
  if (proto->data_location == 1)
    result = read_external(in, proto, where, tensor, bytes);
  else if (proto->has_raw_data && (bytes || proto->raw_data.len))
    result = read_raw(in, proto, where, tensor, bytes);
  else
    result = read_typed(in, proto, where, tensor, bytes);
  if (result == 0) normalise_bools(tensor);
  return result;
}
