#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include <fovea/tensor.h>

static char *path;

static int read_text(const char *data, size_t size, FvTensor *tensor, FvError *err) {
  g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
  return fv_npy_read(path, tensor, err);
}

static void test_round_trip(void) {
  static const FvDtype types[] = {FV_DTYPE_F32, FV_DTYPE_F16, FV_DTYPE_F64, FV_DTYPE_I8, FV_DTYPE_U8, FV_DTYPE_I16, FV_DTYPE_U16,
                                  FV_DTYPE_I32, FV_DTYPE_U32, FV_DTYPE_I64, FV_DTYPE_U64, FV_DTYPE_BOOL};
  unsigned char bytes[24 * 8];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 37);
  for (size_t t = 0; t < G_N_ELEMENTS(types); t++)
    for (int rank = 0; rank <= 4; rank++) {
      FvError err = {0};
      FvTensor tensor = {.dtype = types[t], .rank = rank, .dims = {2, 3, 1, 4}, .data = bytes}, back;
      fv_tensor_set_contiguous(&tensor);
      if (fv_npy_write(path, &tensor, &err) < 0 || fv_npy_read(path, &back, &err) < 0) g_error("%s", err.message);
      g_assert_cmpint(back.dtype, ==, tensor.dtype);
      g_assert_cmpint(back.rank, ==, rank);
      g_assert_cmpmem(back.dims, sizeof back.dims[0] * (size_t)rank, tensor.dims, sizeof back.dims[0] * (size_t)rank);
      size_t size = (size_t)fv_tensor_count(&tensor) * fv_dtype_size(tensor.dtype);
      g_assert_cmpmem(back.data, size, bytes, size);
      fv_tensor_release(&back);
    }
}

static void test_strided_write(void) {
  float values[12];
  for (int i = 0; i < 12; i++) values[i] = (float)i;
  FvTensor turned = {.dtype = FV_DTYPE_F32, .rank = 2, .dims = {4, 3}, .strides = {1, 4}, .data = values}, back;
  g_assert_cmpint(fv_npy_write(path, &turned, NULL), ==, 0);
  g_assert_cmpint(fv_npy_read(path, &back, NULL), ==, 0);
  g_assert_cmpfloat(((float *)back.data)[1], ==, 4);
  g_assert_cmpfloat(((float *)back.data)[3], ==, 1);
  fv_tensor_release(&back);
}

/* A version 1 file with this header and payload. */
static int read_header(const char *header, size_t payload, FvTensor *tensor) {
  FvError err = {0};
  GByteArray *file = g_byte_array_new();
  size_t length = strlen(header);
  const guint8 start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (guint8)length, (guint8)(length >> 8)};
  g_byte_array_append(file, start, sizeof start);
  g_byte_array_append(file, (const guint8 *)header, (guint)length);
  for (size_t i = 0; i < payload; i++) g_byte_array_append(file, &(guint8){(guint8)i}, 1);
  int result = read_text((const char *)file->data, file->len, tensor, &err);
  if (result < 0) g_assert_nonnull(strstr(err.message, path));
  g_byte_array_unref(file);
  return result;
}

static void test_fortran(void) {
  FvTensor tensor;
  g_assert_cmpint(read_header("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n", 6, &tensor), ==, 0);
  g_assert_cmpint(((uint8_t *)tensor.data)[1], ==, 2);
  g_assert_cmpint(((uint8_t *)tensor.data)[3], ==, 1);
  fv_tensor_release(&tensor);
}

static void test_hostile_headers(void) {
  static const struct {
    const char *header;
    size_t payload;
    int code;
  } cases[] = {
    {"", 8, FV_ERR_FORMAT},
    {"{", 8, FV_ERR_FORMAT},
    {"{'descr': '<f4', 'fortran_order': False, }", 8, FV_ERR_FORMAT},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (", 8, FV_ERR_FORMAT},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2", 8, FV_ERR_FORMAT},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8, FV_ERR_FORMAT},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 8, FV_ERR_FORMAT},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 8, FV_ERR_FORMAT},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 8, FV_ERR_FORMAT},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2147483647, 2147483647, 4), }", 8, FV_ERR_FORMAT},
    {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8, FV_ERR_UNSUPPORTED},
    {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 8, FV_ERR_UNSUPPORTED},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8, FV_ERR_UNSUPPORTED},
    {"{'descr': '<f", 8, FV_ERR_FORMAT},
    {"'shape'", 8, FV_ERR_FORMAT},
    {"'descr'", 8, FV_ERR_FORMAT},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    FvTensor tensor;
    int result = read_header(cases[i].header, cases[i].payload, &tensor);
    if (result != cases[i].code) g_error("%s: %d", cases[i].header, result);
    g_assert_null(tensor.data);
  }
}

static void test_truncated(void) {
  static const float values[2] = {1, 2};
  FvTensor tensor = {.dtype = FV_DTYPE_F32, .rank = 1, .dims = {2}, .strides = {1}, .data = (void *)values}, back;
  char *data;
  gsize size;
  g_assert_cmpint(fv_npy_write(path, &tensor, NULL), ==, 0);
  g_assert_true(g_file_get_contents(path, &data, &size, NULL));
  for (gsize length = 0; length < size; length++) g_assert_cmpint(read_text(data, length, &back, NULL), ==, FV_ERR_FORMAT);
  memcpy(data + 8, "\xff\xff", 2); /* a header longer than the file */
  g_assert_cmpint(read_text(data, size, &back, NULL), ==, FV_ERR_FORMAT);
  g_free(data);
}

static void test_places(void) {
  FvTensor tensor;
  FvError err = {0};
  g_unlink(path);
  g_assert_cmpint(fv_npy_read(path, &tensor, &err), ==, FV_ERR_IO);
  g_assert_nonnull(strstr(err.message, path));
  float value = 1;
  tensor = (FvTensor){.dtype = FV_DTYPE_F32, .data = &value};
  g_assert_cmpint(fv_npy_write("/nonexistent/x.npy", &tensor, NULL), ==, FV_ERR_IO);
  tensor.dtype = FV_DTYPE_BF16;
  g_assert_cmpint(fv_npy_write(path, &tensor, NULL), ==, FV_ERR_UNSUPPORTED);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  char *directory = g_dir_make_tmp("fovea-npy-XXXXXX", NULL);
  path = g_build_filename(directory, "array.npy", NULL);
  g_test_add_func("/npy/round-trip", test_round_trip);
  g_test_add_func("/npy/writes-any-strides", test_strided_write);
  g_test_add_func("/npy/reads-fortran-order", test_fortran);
  g_test_add_func("/npy/hostile-headers", test_hostile_headers);
  g_test_add_func("/npy/truncated-anywhere", test_truncated);
  g_test_add_func("/npy/bad-places", test_places);
  int result = g_test_run();
  g_unlink(path);
  g_rmdir(directory);
  g_free(path);
  g_free(directory);
  return result;
}
