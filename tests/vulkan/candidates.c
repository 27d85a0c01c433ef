/* A device that lists candidates loses no box and adds none: for every family of heads, the boxes of the outputs read whole. */
#include <stdio.h>
#include <stdlib.h>

#include "driver.h"
#include "head_cases.h"
#include "session/session_internal.h"
#include "vulkan/device.h"

enum { ROOM = 4096, NOISY = 40 /* locations of each group */ };

static guint32 noise_state;
static float noise(float low, float high) {
  noise_state = noise_state * 1664525u + 1013904223u;
  return low + (high - low) * (float)(noise_state >> 8) / 16777216.0f;
}

/* A value for channel c that its activation turns into anything between 0 and 1; some are exactly the threshold of a test. */
static float noisy_value(const FvScoreFactor *factor) {
  if (factor->activation != FV_SCORE_PLAIN) return noise(-3, 3);
  float v = noise(0, 1.2f);
  return v > 1.1f ? 0.5f : MIN(v, 1);
}

static void disturb(const Outputs *o, const FvLocationGroup *group, int location) {
  for (int f = 0; f < group->factor_count; f++) {
    const FvScoreFactor *factor = &group->factors[f];
    float *at = (float *)o->tensor[factor->part.output].data + fv_location_element(&factor->part, group, location);
    int channel = (int)noise(0, (float)factor->part.channels - 0.01f);
    at[channel * factor->part.channel_step] = noisy_value(factor);
  }
}

static void disturb_some(const Outputs *o, const FvLocationGroup *groups, int count, int of_each) {
  for (int g = 0; g < count; g++)
    for (int i = 0; i < of_each && fv_location_count(&groups[g]); i++) disturb(o, &groups[g], (int)noise(0, (float)fv_location_count(&groups[g]) - 0.5f));
}

/* A program whose outputs are copies of its inputs. */
typedef struct Mirror {
  FvVkProgram *program;
  FvVkRunner *runner;
  FvTensor tensor[MAX_OUTPUTS];
  const FvTensor *pointers[MAX_OUTPUTS];
  gsize bytes[MAX_OUTPUTS];
  int count;
} Mirror;

static gsize span(const FvTensor *t) {
  int64_t last = 0;
  for (int i = 0; i < t->rank; i++) last += (t->dims[i] - 1) * t->strides[i];
  return (gsize)(last + 1) * fv_dtype_size(t->dtype);
}

static void mirror_init(Mirror *m, FvVkDevice *device, const Outputs *o) {
  FvError err;
  FvNode nodes[MAX_OUTPUTS];
  FvVkStep steps[MAX_OUTPUTS];
  FvVkOperand in[MAX_OUTPUTS], out[MAX_OUTPUTS];
  int64_t at = 0;
  *m = (Mirror){.count = o->count};
  for (int i = 0; i < o->count; i++) {
    m->tensor[i] = o->tensor[i];
    m->tensor[i].data = NULL;
    m->pointers[i] = &m->tensor[i];
    m->bytes[i] = span(&o->tensor[i]);
    int64_t room = (int64_t)(m->bytes[i] + 127) / 64 * 64;
    nodes[i] = (FvNode){.op = fv_op_find("fovea", "Copy"), .name = "copy", .input_count = 1, .output_count = 1};
    in[i] = (FvVkOperand){.present = true, .tensor = m->tensor[i], .offset = at};
    out[i] = (FvVkOperand){.present = true, .tensor = m->tensor[i], .offset = at + room};
    at += 2 * room;
    steps[i] = (FvVkStep){&nodes[i], fv_vk_select(device, &(FvKernelQuery){&nodes[i], &m->pointers[i], &m->pointers[i]}), &in[i], &out[i]};
    g_assert_nonnull(steps[i].kernel);
  }
  FvVkProgramParams params = {.steps = steps, .step_count = o->count, .arena_bytes = at, .inputs = in, .outputs = out, .input_count = o->count, .output_count = o->count};
  if (fv_vk_program_create(device, &params, &m->program, &err) < 0 || fv_vk_runner_create(m->program, 1, false, &m->runner, &err) < 0) g_error("%s", err.message);
  for (int i = 0; i < o->count; i++) m->tensor[i].data = fv_vk_runner_output(m->runner, 0, i);
}

static void mirror_finish(Mirror *m) {
  fv_vk_runner_destroy(&m->runner);
  fv_vk_program_destroy(&m->program);
}

/* Nothing but what the device brings is there. */
static int mirror_run(Mirror *m, const Outputs *o, float threshold, guint64 *chosen, int64_t *bytes) {
  FvError err;
  int result = 0;
  for (int i = 0; i < m->count; i++) {
    memcpy(fv_vk_runner_input(m->runner, 0, i), o->tensor[i].data, m->bytes[i]);
    memset(fv_vk_runner_output(m->runner, 0, i), 0xff, m->bytes[i]);
  }
  if (fv_vk_runner_choose(m->runner, 0, threshold, &err) < 0 || fv_vk_runner_submit(m->runner, 0, &err) < 0 || fv_vk_runner_wait(m->runner, 0, &err) < 0 ||
      (result = fv_vk_runner_chosen(m->runner, 0, chosen, bytes, &err)) < 0)
    g_error("%s", err.message);
  return result;
}

static void check_same(const FvDetection *want, int wanted, const FvDetection *got, int count) {
  g_assert_cmpint(count, ==, wanted);
  for (int i = 0; i < count; i++) {
    const FvDetection *a = &want[i], *b = &got[i];
    g_assert_true(a->x0 == b->x0 && a->y0 == b->y0 && a->x1 == b->x1 && a->y1 == b->y1 && a->score == b->score && a->label == b->label);
    g_assert_cmpint(a->landmark_count, ==, b->landmark_count);
    g_assert_cmpint(memcmp(a->landmarks, b->landmarks, (gsize)a->landmark_count * sizeof a->landmarks[0]), ==, 0);
  }
}

static void compare(Mirror *m, const Outputs *o, FvDetector *host, FvDetector *device, const FvTensor *const *whole, gboolean must_fit) {
  static const float thresholds[] = {0.5f, 0.9f, 0.02f};
  static FvDetection want[ROOM], got[ROOM];
  static guint64 chosen[1000], again[1000];
  for (gsize t = 0; t < G_N_ELEMENTS(thresholds); t++) {
    FvDecodeParams params = {.threshold = thresholds[t], .iou_threshold = 0.6f, .map = {0.5f, 0.8f, 10, 20}, .frame_width = 600, .frame_height = 400};
    int64_t bytes = 0, more = 0, all = 0;
    int wanted = fv_detector_decode(host, whole, &params, want, ROOM);
    int some = mirror_run(m, o, thresholds[t], chosen, &bytes);
    if (must_fit) g_assert_cmpint(some, ==, 1);
    if (some) params.chosen = chosen;
    check_same(want, wanted, got, fv_detector_decode(device, m->pointers, &params, got, ROOM));
    for (int i = 0; i < m->count; i++) all += (int64_t)m->bytes[i];
    if (some) g_assert_cmpint(bytes, <, all / 2);
    g_assert_cmpint(mirror_run(m, o, thresholds[t], again, &more), ==, some); /* the same locations every time, whatever order they were listed in */
    g_assert_cmpint(more, ==, bytes);
    if (some) g_assert_cmpint(memcmp(chosen, again, sizeof chosen), ==, 0);
  }
}

static void check_case(FvVkDevice *device, gsize i, int odd) {
  FvError err;
  Outputs o = {.odd_strides = odd};
  FvDescription d;
  Mirror mirror;
  FvDetector *there;
  const FvTensor *whole[MAX_OUTPUTS];
  int count;
  noise_state = (guint32)i;
  cases[i].make(&o);
  describe(&d, cases[i].yaml, cases[i].face ? 1 : 80);
  FvDetector *here = detector_for(&d, &o, whole);
  const FvLocationGroup *groups = fv_detector_locations(here, &count);
  if (count) {
    mirror_init(&mirror, device, &o);
    if (fv_detector_create(&d, o.name, mirror.pointers, o.count, &there, &err) < 0) g_error("%s", err.message);
    if (fv_vk_runner_locate(mirror.runner, 0, fv_detector_locations(there, &count), count, 0.5f, &err) < 0) g_error("%s", err.message);
    compare(&mirror, &o, here, there, whole, TRUE);
    disturb_some(&o, groups, count, NOISY);
    compare(&mirror, &o, here, there, whole, FALSE);
    disturb_some(&o, groups, count, 1 << 15); /* more than a list holds */
    compare(&mirror, &o, here, there, whole, FALSE);
    fv_detector_destroy(&there);
    mirror_finish(&mirror);
  }
  fv_detector_destroy(&here);
  fv_description_finish(&d);
  outputs_finish(&o);
}

typedef struct Way {
  const char *wishes;
  int odd; /* of the first case; the next one is laid out the other way */
} Way;
static const Way ways[] = {{"texel", 0}, {"storage", 1}, {"texel,staging", 1}, {"storage,staging", 0}};

static void test_heads(gconstpointer data) {
  const Way *way = data;
  FvError err;
  FvVkDevice *device = NULL;
  g_autofree char *before = g_strdup(g_getenv("FOVEA_VULKAN"));
  g_autofree char *all = g_strjoin(",", way->wishes, before, NULL);
  g_setenv("FOVEA_VULKAN", all, TRUE);
  if (fv_vk_device_open(NULL, &device, &err) < 0) g_error("%s", err.message);
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) check_case(device, i, (way->odd + (int)i) % 2);
  fv_vk_device_close(&device);
  if (before)
    g_setenv("FOVEA_VULKAN", before, TRUE);
  else
    g_unsetenv("FOVEA_VULKAN");
}

static uint8_t pixels[640 * 480 * 3 / 2];

static FvSession *open_session(FvPlan *plan) {
  FvError err;
  FvSession *session = NULL;
  if (fv_session_create(plan, &session, &err) < 0) g_error("%s", err.message);
  return session;
}

static int detect(FvSession *session, float threshold, FvDetection *found) {
  FvError err;
  FvFrame frame = {.format = FV_FORMAT_NV12, .width = 640, .height = 480, .plane = {pixels, pixels + 640 * 480}, .stride = {640, 640}};
  int count = fv_session_detect(session, &frame, &(FvDetectParams){.threshold = threshold}, found, ROOM, &err);
  if (count < 0) g_error("%s", err.message);
  return count;
}

static int64_t output_bytes(const FvSession *session) {
  int64_t bytes = 0;
  for (int i = 0; i < fv_session_output_count(session); i++) bytes += fv_tensor_count(fv_session_output(session, i)) * (int64_t)sizeof(float);
  return bytes;
}

static void check_model(const char *file, float threshold, gboolean finds) {
  static FvDetection want[ROOM], got[ROOM];
  FvError err;
  FvModel *model = NULL;
  FvPlan *plan = NULL;
  g_autofree char *path = g_build_filename(g_getenv("FOVEA_SHARED_DIR"), "models", "onnx", file, NULL);
  if (fv_model_open(path, NULL, &model, &err) < 0 || fv_plan_create(model, &fv_plan_params(.device = "vulkan"), &plan, &err) < 0) g_error("%s", err.message);
  const FvBackend *backend = plan->backend;
  FvBackend whole = *backend; /* reads everything */
  whole.locate = NULL;
  plan->backend = &whole;
  FvSession *first = open_session(plan);
  int wanted = detect(first, threshold, want);
  g_assert_cmpint(fv_session_traffic(first).read_bytes, ==, output_bytes(first));
  plan->backend = backend;
  FvSession *second = open_session(plan);
  for (int i = 0; i < 3; i++) {
    check_same(want, wanted, got, detect(second, threshold, got));
    g_assert_cmpint(fv_session_traffic(second).read_bytes, <, output_bytes(second));
    g_assert_cmpint(fv_session_traffic(second).uploaded_bytes, >, 0);
    g_assert_cmpint(fv_session_traffic(second).uploaded_bytes, <=, sizeof pixels);
  }
  g_test_message("%s: %d boxes, %d of %d bytes read, %d uploaded", file, wanted, (int)fv_session_traffic(second).read_bytes, (int)output_bytes(second), (int)fv_session_traffic(second).uploaded_bytes);
  if (finds) g_assert_cmpint(wanted, >, 0);
  fv_session_destroy(&second);
  fv_session_destroy(&first);
  fv_plan_destroy(&plan);
  fv_model_destroy(&model);
}

/* Real models: the same boxes, fewer bytes. The picture is noise, so a low threshold makes the boxes. */
static void test_models(gconstpointer wishes) {
  g_autofree char *folder = g_build_filename(g_getenv("FOVEA_SHARED_DIR") ? g_getenv("FOVEA_SHARED_DIR") : "", "models", "onnx", NULL);
  g_autofree char *before = g_strdup(g_getenv("FOVEA_VULKAN"));
  g_autofree char *all = g_strjoin(",", wishes, before, NULL);
  if (!g_file_test(folder, G_FILE_TEST_IS_DIR)) {
    g_test_skip("the shared models are not there");
    return;
  }
  g_setenv("FOVEA_VULKAN", all, TRUE);
  for (gsize i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 2654435761u >> 24);
  check_model("nanodet_m_320.onnx", 0.06f, TRUE);
  check_model("yolo-fastestv2.onnx", 0.02f, TRUE);
  check_model("FastestDet.onnx", 0.1f, TRUE);
  check_model("version-RFB-320.onnx", 0.2f, TRUE);
  check_model("face_detection_yunet_120x160.onnx", 0.2f, FALSE);
  if (before)
    g_setenv("FOVEA_VULKAN", before, TRUE);
  else
    g_unsetenv("FOVEA_VULKAN");
}

static void test_validation_is_silent(void) { g_assert_cmpint(fv_vk_validation_messages(), ==, 0); }

int main(int argc, char **argv) {
  g_autofree char *cache = g_dir_make_tmp("fovea-vulkan-XXXXXX", NULL);
  g_setenv("FOVEA_CACHE_DIR", cache, TRUE);
  g_test_init(&argc, &argv, NULL);
  if (!driver_found(NULL)) return 0;
  g_test_add_data_func("/vulkan/candidates/texel", &ways[0], test_heads);
  g_test_add_data_func("/vulkan/candidates/storage", &ways[1], test_heads);
  g_test_add_data_func("/vulkan/candidates/texel-staging", &ways[2], test_heads);
  g_test_add_data_func("/vulkan/candidates/storage-staging", &ways[3], test_heads);
  g_test_add_data_func("/vulkan/candidates/models", "texel", test_models);
  g_test_add_data_func("/vulkan/candidates/models-staging", "texel,staging", test_models);
  g_test_add_func("/vulkan/candidates/validation-is-silent", test_validation_is_silent);
  int result = g_test_run();
  g_autofree char *remove = g_strdup_printf("rm -rf '%s'", cache);
  return system(remove) == 0 ? result : 1;
}
