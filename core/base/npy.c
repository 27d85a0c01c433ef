/* NumPy's array file: magic "\x93NUMPY", version, length of a Python dictionary literal, the dictionary, the data.
 * numpy.org, "numpy.lib.format". */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fovea/tensor.h>

#include "base/file.h"

static const struct {
  FvDtype dtype;
  const char *descr;
} types[] = {
  {FV_DTYPE_F32, "<f4"}, {FV_DTYPE_F16, "<f2"}, {FV_DTYPE_F64, "<f8"}, {FV_DTYPE_I8, "|i1"}, {FV_DTYPE_U8, "|u1"},
  {FV_DTYPE_I16, "<i2"}, {FV_DTYPE_U16, "<u2"}, {FV_DTYPE_I32, "<i4"}, {FV_DTYPE_U32, "<u4"}, {FV_DTYPE_I64, "<i8"},
  {FV_DTYPE_U64, "<u8"}, {FV_DTYPE_BOOL, "|b1"},
};
enum { TYPES = sizeof types / sizeof types[0] };

/* The text behind 'key': in the header, or NULL. */
static const char *find_key(const char *header, const char *key) {
  char quoted[40];
  snprintf(quoted, sizeof quoted, "'%s'", key);
  const char *at = strstr(header, quoted);
  if (!at) return NULL;
  at += strlen(quoted);
  while (*at == ' ' || *at == ':') at++;
  return at;
}

static int parse_shape(const char *at, FvTensor *tensor) {
  if (!at || *at++ != '(') return -1;
  int64_t count = 1;
  while (*at && *at != ')') {
    if (isdigit((unsigned char)*at)) {
      char *end;
      errno = 0;
      long long n = strtoll(at, &end, 10);
      if (errno || n > FV_MAX_DIM || tensor->rank == FV_MAX_RANK || !fv_mul_ok(count, n, &count) || count > FV_MAX_ELEMENTS) return -1;
      tensor->dims[tensor->rank++] = n;
      at = end;
    } else if (*at == ',' || *at == ' ' || *at == 'L') {
      at++;
    } else {
      return -1;
    }
  }
  return *at == ')' ? 0 : -1;
}

static int parse_header(const char *header, FvTensor *tensor, bool *fortran) {
  const char *descr = find_key(header, "descr"), *order = find_key(header, "fortran_order");
  if (!descr || !order || parse_shape(find_key(header, "shape"), tensor) < 0) return -1;
  *fortran = strncmp(order, "True", 4) == 0;
  for (int i = 0; i < TYPES; i++)
    if (strlen(descr) > 4 && strncmp(descr + 1, types[i].descr, 3) == 0) tensor->dtype = types[i].dtype;
  return 0;
}

static void set_fortran(FvTensor *tensor) {
  int64_t stride = 1;
  for (int d = 0; d < tensor->rank; d++) {
    tensor->strides[d] = stride;
    stride *= tensor->dims[d];
  }
}

/* The header's length, and where its text begins; -1 when the file is not one. */
static int locate_header(const unsigned char *bytes, size_t size, size_t *start, size_t *length) {
  if (size < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0 || bytes[6] < 1 || bytes[6] > 3) return -1;
  *start = bytes[6] == 1 ? 10 : 12;
  *length = bytes[8] | (size_t)bytes[9] << 8;
  if (bytes[6] > 1) *length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
  return *length > size - *start || *length > 65536 ? -1 : 0;
}

int fv_npy_read(const char *path, FvTensor *tensor, FvError *err) {
  void *file = NULL;
  size_t size, start, length;
  *tensor = (FvTensor){0};
  int result = fv_file_read(path, FV_MAX_MODEL_BYTES, &file, &size, err);
  if (result < 0) return result;
  if (locate_header(file, size, &start, &length) < 0) {
    free(file);
    return fv_error_set(err, FV_ERR_FORMAT, "%s: not a NumPy .npy file", path);
  }
  char *header = strndup((char *)file + start, length);
  FvTensor source = {0};
  bool fortran = false;
  if (!header || parse_header(header, &source, &fortran) < 0)
    result = fv_error_set(err, FV_ERR_FORMAT, "%s: the .npy header cannot be read", path);
  else if (source.dtype == FV_DTYPE_NONE)
    result = fv_error_set(err, FV_ERR_UNSUPPORTED, "%s: the array's type is not a little-endian number or bool", path);
  else if ((uint64_t)fv_tensor_count(&source) * fv_dtype_size(source.dtype) > size - start - length)
    result = fv_error_set(err, FV_ERR_FORMAT, "%s: truncated, the array is larger than the file", path);
  free(header);
  if (result == 0) {
    size_t bytes = (size_t)fv_tensor_count(&source) * fv_dtype_size(source.dtype);
    *tensor = source;
    fv_tensor_set_contiguous(tensor);
    tensor->data = malloc(bytes + 64);
    source.data = (char *)file + start + length;
    fv_tensor_set_contiguous(&source);
    if (fortran) set_fortran(&source);
    if (!tensor->data)
      result = fv_error_set(err, FV_ERR_NO_MEMORY, "%s: no memory for %zu bytes", path, bytes);
    else if (!fortran)
      memcpy(tensor->data, source.data, bytes);
    else
      result = fv_tensor_copy(tensor, &source, err);
    if (result < 0) fv_tensor_release(tensor);
  }
  free(file);
  return result;
}

static int write_header(FILE *file, const FvTensor *tensor) {
  char shape[FV_MAX_RANK * 21 + 4] = "", header[512];
  const char *descr = NULL;
  int used = 0;
  for (int d = 0; d < tensor->rank; d++)
    used += snprintf(shape + used, sizeof shape - (size_t)used, "%lld,%s", (long long)tensor->dims[d], d + 1 < tensor->rank ? " " : "");
  for (int i = 0; i < TYPES; i++)
    if (types[i].dtype == tensor->dtype) descr = types[i].descr;
  if (!descr) return -1;
  int length = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape);
  int padded = (10 + length + 1 + 63) / 64 * 64 - 10;
  unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(padded & 255), (unsigned char)(padded >> 8)};
  fwrite(start, 1, sizeof start, file);
  fprintf(file, "%-*s\n", padded - 1, header);
  return 0;
}

int fv_npy_write(const char *path, const FvTensor *tensor, FvError *err) {
  size_t bytes = (size_t)fv_tensor_count(tensor) * fv_dtype_size(tensor->dtype);
  FvTensor row = *tensor;
  fv_tensor_set_contiguous(&row);
  row.data = malloc(bytes + 1);
  if (!row.data) return fv_error_set(err, FV_ERR_NO_MEMORY, "%s: no memory for %zu bytes", path, bytes);
  int result = fv_tensor_copy(&row, tensor, err);
  FILE *file = result < 0 ? NULL : fopen(path, "wbe");
  if (result == 0 && !file) result = fv_error_set(err, FV_ERR_IO, "%s: %s", path, strerror(errno));
  if (file) {
    if (write_header(file, tensor) < 0)
      result = fv_error_set(err, FV_ERR_UNSUPPORTED, "%s: .npy has no type for %s", path, fv_dtype_name(tensor->dtype));
    else
      fwrite(row.data, 1, bytes, file);
    bool failed = ferror(file);
    if ((fclose(file) != 0 || failed) && result == 0) result = fv_error_set(err, FV_ERR_IO, "%s: %s", path, strerror(errno));
  }
  free(row.data);
  return result;
}
