/* Real models against the outputs that ONNX Runtime recorded for a real picture: fast kernels, reference kernels, unfused graph, two threads. */
#include <fovea/fovea.h>
#include <glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Case {
  const char *folder, *model;
  bool bytes;      /* the input is the resized picture, x / 255 is the tensor */
  double tolerance; /* of the largest magnitude in the output */
} Case;

static const Case cases[] = {
  {"FastestDet", "FastestDet.onnx", true, 1e-3},
  {"yolo-fastestv2", "yolo-fastestv2.onnx", true, 1e-3},
  {"nanodet_m_320", "nanodet_m_320.onnx", false, 1e-3},
  {"version-RFB-320", "version-RFB-320.onnx", false, 1e-3},
  {"version-RFB-320_simplified", "version-RFB-320_simplified.onnx", false, 1e-3},
  {"yunet_120x160", "face_detection_yunet_120x160.onnx", false, 1e-3},
  {"osnet_person0", "osnet_x0_25_msmt17.onnx", false, 1e-3},
  {"osnet_person1", "osnet_x0_25_msmt17.onnx", false, 1e-3},
  /* quantised inside: one step of the last layer (scale 0.1185) is what runtimes may differ by */
  {"mobilenet_v2_quant", "mobilenet_v2_quant.onnx", false, 0},
};

typedef struct Mode {
  const char *name;
  unsigned flags;
  int threads;
  const char *device;
  FvPrecision precision;
} Mode;

static const Mode modes[] = {
  {"fast", 0, 1, "cpu"}, {"two-threads", 0, 2, "cpu"}, {"unfused", FV_PLAN_NO_FUSION, 1, "cpu"}, {"reference", FV_PLAN_REFERENCE, 1, "cpu"}, {"vulkan", 0, 1, "vulkan", FV_PRECISION_FP32},
  {"vulkan-fp16", 0, 1, "vulkan", FV_PRECISION_FP16}, {"vulkan-fp16-arithmetic", 0, 1, "vulkan", FV_PRECISION_FP16_ARITHMETIC},
};

static void load(const char *folder, const char *file, FvTensor *tensor) {
  FvError err;
  g_autofree char *path = g_build_filename(g_getenv("FOVEA_SHARED_DIR"), "models", "reference", folder, file, NULL);
  if (fv_npy_read(path, tensor, &err) < 0) g_error("%s", err.message);
}

/* [H, W, C] bytes seen as [1, C, H, W]. */
static void fill_from_bytes(const FvTensor *input, const char *folder) {
  FvTensor bytes = {0}, view;
  load(folder, "input_u8_hwc.npy", &bytes);
  view = (FvTensor){.dtype = FV_DTYPE_U8, .rank = 4, .dims = {1, bytes.dims[2], bytes.dims[0], bytes.dims[1]}, .strides = {0, bytes.strides[2], bytes.strides[0], bytes.strides[1]}, .data = bytes.data};
  g_assert_cmpint(fv_tensor_copy(input, &view, NULL), ==, 0);
  for (int64_t c = 0; c < input->dims[1]; c++)
    for (int64_t y = 0; y < input->dims[2]; y++)
      for (int64_t x = 0; x < input->dims[3]; x++)
        ((float *)input->data)[c * input->strides[1] + y * input->strides[2] + x * input->strides[3]] /= 255.0f;
  fv_tensor_release(&bytes);
}

static void fill(const FvTensor *input, const Case *test) {
  FvTensor given = {0};
  if (test->bytes) {
    fill_from_bytes(input, test->folder);
    return;
  }
  load(test->folder, "input.npy", &given);
  g_assert_cmpint(fv_tensor_copy(input, &given, NULL), ==, 0);
  fv_tensor_release(&given);
}

/* The step of a dequantised tensor: the smallest difference between any two of its values. */
static double smallest_step(const float *values, int64_t count) {
  double step = INFINITY;
  for (int64_t i = 1; i < count; i++) {
    double difference = fabs((double)values[i] - values[0]);
    if (difference > 1e-6 && difference < step) step = difference;
  }
  return step;
}

/* fp16 keeps 11 bits of what each layer makes. */
static double allowed_for(const Case *test, const Mode *mode, const FvTensor *want, double largest) {
  if (mode->precision >= FV_PRECISION_FP16) return largest * 1e-2;
  return test->tolerance > 0 ? largest * test->tolerance : smallest_step(want->data, fv_tensor_count(want)) * 1.001;
}

static void compare(const FvTensor *got, const Case *test, const Mode *mode, int output) {
  FvTensor want = {0}, have;
  g_autofree char *file = g_strdup_printf("out%d.npy", output);
  load(test->folder, file, &want);
  have = want;
  g_autofree float *copy = g_new(float, fv_tensor_count(&want));
  have.data = copy;
  FvError err;
  if (fv_tensor_copy(&have, got, &err) < 0) g_error("%s", err.message);
  const float *expected = want.data;
  double largest = 0, worst = 0;
  for (int64_t i = 0; i < fv_tensor_count(&want); i++) {
    largest = fmax(largest, fabs(expected[i]));
    worst = fmax(worst, isnan(copy[i]) ? INFINITY : fabs((double)copy[i] - expected[i]));
  }
  double allowed = allowed_for(test, mode, &want, largest);
  g_test_message("%s: worst difference %g, allowed %g, largest magnitude %g", file, worst, allowed, largest);
  g_assert_cmpfloat(worst, <=, allowed);
  fv_tensor_release(&want);
}

static bool has_device(const char *name) {
  FvDeviceInfo devices[16];
  int count = MIN(fv_devices_list(devices, G_N_ELEMENTS(devices)), (int)G_N_ELEMENTS(devices));
  for (int i = 0; i < count; i++)
    if (devices[i].usable && g_str_has_prefix(devices[i].id, name)) return true;
  return false;
}

static void run_case(const Case *test, const Mode *mode) {
  FvError err = {0};
  FvModel *model = NULL;
  FvPlan *plan = NULL;
  FvSession *session = NULL;
  g_autofree char *path = g_build_filename(g_getenv("FOVEA_SHARED_DIR"), "models", "onnx", test->model, NULL);
  FvPlanParams params = fv_plan_params(.device = mode->device, .threads = mode->threads, .flags = mode->flags, .precision = mode->precision);
  if (fv_model_open(path, NULL, &model, &err) < 0 || fv_plan_create(model, &params, &plan, &err) < 0 || fv_session_create(plan, &session, &err) < 0)
    g_error("%s", err.message);
  for (int round = 0; round < 2; round++) { /* the second run shows that nothing of the first is left over */
    fill(fv_session_input(session, 0), test);
    g_assert_cmpint(fv_session_run(session, &err), ==, 0);
    for (int i = 0; i < fv_session_output_count(session); i++) compare(fv_session_output(session, i), test, mode, i);
    if (mode->flags & FV_PLAN_REFERENCE) break;
  }
  fv_session_destroy(&session);
  fv_plan_destroy(&plan);
  fv_model_destroy(&model);
}

static void test_outputs(const void *data) {
  size_t which = GPOINTER_TO_SIZE(data);
  const Case *test = &cases[which / G_N_ELEMENTS(modes)];
  const Mode *mode = &modes[which % G_N_ELEMENTS(modes)];
  g_autofree char *folder = g_build_filename(g_getenv("FOVEA_SHARED_DIR"), "models", "reference", test->folder, NULL);
  if (!g_file_test(folder, G_FILE_TEST_IS_DIR)) {
    g_test_skip("the shared models are not there");
    return;
  }
  if (g_getenv("FOVEA_TEST_VALIDATED") && strcmp(mode->device, "cpu") == 0)
    g_test_skip("nothing of this runs on Vulkan");
  else if (!has_device(mode->device))
    g_test_skip("there is no such device");
  else
    run_case(test, mode);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(cases) * G_N_ELEMENTS(modes); i++) {
    g_autofree char *path = g_strdup_printf("/session/reference-outputs/%s/%s", cases[i / G_N_ELEMENTS(modes)].folder, modes[i % G_N_ELEMENTS(modes)].name);
    g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_outputs);
  }
  return g_test_run();
}
