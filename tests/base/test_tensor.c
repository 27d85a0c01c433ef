#include <glib.h>
#include <math.h>
#include <string.h>

#include <fovea/tensor.h>

#include "base/half.h"

static FvTensor vector(FvDtype dtype, int64_t count, void *data) {
  return (FvTensor){.dtype = dtype, .rank = 1, .dims = {count}, .strides = {1}, .data = data};
}

/* Channels-first to channels-last with padding, and back. */
static void test_layouts(void) {
  enum { C = 3, H = 2, W = 4, P = 8 };
  float first[C * H * W], last[H * W * P], again[C * H * W];
  for (int i = 0; i < C * H * W; i++) first[i] = (float)i;
  for (int i = 0; i < H * W * P; i++) last[i] = -1;
  FvTensor a = {.dtype = FV_DTYPE_F32, .rank = 4, .dims = {1, C, H, W}, .data = first}, b = a, c = a;
  fv_tensor_set_contiguous(&a);
  fv_tensor_set_contiguous(&c);
  b.data = last;
  c.data = again;
  memcpy(b.strides, (int64_t[]){H * W * P, 1, W * P, P}, 4 * sizeof(int64_t));
  g_assert_true(fv_tensor_is_contiguous(&a));
  g_assert_false(fv_tensor_is_contiguous(&b));
  g_assert_cmpint(fv_tensor_copy(&b, &a, NULL), ==, 0);
  g_assert_cmpfloat(last[(1 * W + 2) * P + 1], ==, first[(1 * H + 1) * W + 2]);
  g_assert_cmpfloat(last[3], ==, -1); /* the padding is somebody else's */
  g_assert_cmpint(fv_tensor_copy(&c, &b, NULL), ==, 0);
  g_assert_cmpmem(again, sizeof again, first, sizeof first);
}

static void test_negative_and_zero_strides(void) {
  int32_t values[4] = {1, 2, 3, 4}, out[4];
  FvTensor reversed = vector(FV_DTYPE_I32, 4, values + 3), repeated = vector(FV_DTYPE_I32, 4, values + 1), to = vector(FV_DTYPE_I32, 4, out);
  reversed.strides[0] = -1;
  repeated.strides[0] = 0;
  g_assert_cmpint(fv_tensor_copy(&to, &reversed, NULL), ==, 0);
  g_assert_cmpint(out[0], ==, 4);
  g_assert_cmpint(out[3], ==, 1);
  g_assert_cmpint(fv_tensor_copy(&to, &repeated, NULL), ==, 0);
  g_assert_cmpint(out[0] + out[3], ==, 4);
}

static void test_conversion(void) {
  float floats[5] = {1.9f, -1.9f, 300, -300, 0.25f};
  int8_t bytes[5];
  uint16_t halves[5];
  int64_t longs[2] = {-3, INT64_C(1) << 40};
  double doubles[2];
  FvTensor from = vector(FV_DTYPE_F32, 5, floats), to = vector(FV_DTYPE_I8, 5, bytes), half = vector(FV_DTYPE_F16, 5, halves);
  g_assert_cmpint(fv_tensor_copy(&to, &from, NULL), ==, 0);
  g_assert_cmpint(bytes[0], ==, 1);
  g_assert_cmpint(bytes[1], ==, -1);
  g_assert_cmpint(bytes[2], ==, 127);
  g_assert_cmpint(bytes[3], ==, -128);
  g_assert_cmpint(fv_tensor_copy(&half, &from, NULL), ==, 0);
  g_assert_cmpint(halves[4], ==, fv_f32_to_f16(0.25f));
  from = vector(FV_DTYPE_I64, 2, longs);
  to = vector(FV_DTYPE_F64, 2, doubles);
  g_assert_cmpint(fv_tensor_copy(&to, &from, NULL), ==, 0);
  g_assert_cmpfloat(doubles[0], ==, -3);
  g_assert_cmpfloat(doubles[1], ==, 0x1p40);
}

static void test_shapes_must_agree(void) {
  float a[6] = {0}, b[6] = {0};
  FvError err = {0};
  FvTensor from = vector(FV_DTYPE_F32, 6, a), to = vector(FV_DTYPE_F32, 5, b);
  g_assert_cmpint(fv_tensor_copy(&to, &from, &err), ==, FV_ERR_INVALID);
  g_assert_nonnull(strstr(err.message, "f32[6]"));
  g_assert_nonnull(strstr(err.message, "f32[5]"));
  to = vector(FV_DTYPE_NONE, 6, b);
  g_assert_cmpint(fv_tensor_copy(&to, &from, NULL), ==, FV_ERR_INVALID);
}

static void test_scalars_and_empty(void) {
  float value = 3, out = 0;
  FvTensor from = {.dtype = FV_DTYPE_F32, .data = &value}, to = {.dtype = FV_DTYPE_F32, .data = &out};
  g_assert_cmpint(fv_tensor_count(&from), ==, 1);
  g_assert_cmpint(fv_tensor_copy(&to, &from, NULL), ==, 0);
  g_assert_cmpfloat(out, ==, 3);
  from = (FvTensor){.dtype = FV_DTYPE_F32, .rank = 3, .dims = {2, 0, 4}};
  to = from;
  fv_tensor_set_contiguous(&from);
  g_assert_cmpint(fv_tensor_count(&from), ==, 0);
  g_assert_cmpint(fv_tensor_copy(&to, &from, NULL), ==, 0); /* touches no memory */
}

static void test_describe(void) {
  char text[64], tiny[6];
  FvTensor tensor = {.dtype = FV_DTYPE_U8, .rank = 4, .dims = {1, 3, 320, 320}};
  g_assert_cmpstr(fv_tensor_describe(&tensor, text, sizeof text), ==, "u8[1,3,320,320]");
  g_assert_cmpstr(fv_tensor_describe(&tensor, tiny, sizeof tiny), ==, "u8[1,");
  g_assert_cmpuint(fv_dtype_size((FvDtype)-1), ==, 0);
  g_assert_cmpuint(fv_dtype_size(FV_DTYPE_COUNT), ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/tensor/copies-between-layouts", test_layouts);
  g_test_add_func("/tensor/copies-any-stride", test_negative_and_zero_strides);
  g_test_add_func("/tensor/converts-types", test_conversion);
  g_test_add_func("/tensor/shapes-must-agree", test_shapes_must_agree);
  g_test_add_func("/tensor/scalars-and-empty-tensors", test_scalars_and_empty);
  g_test_add_func("/tensor/describe", test_describe);
  return g_test_run();
}
