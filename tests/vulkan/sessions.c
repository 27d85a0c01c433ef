/* Plans and sessions on a Vulkan device: the same numbers run after run and whatever is in flight, nothing left behind, errors that name the place. */
#include <fovea/fovea.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "vulkan/device.h"
#include "vulkan/tuned.h"
#include "vulkan/vk.h"

static FvModel *open_model(const char *name) {
  FvError err;
  FvModel *model = NULL;
  g_autofree char *path = g_build_filename(g_getenv("FOVEA_SHARED_DIR"), "models", "onnx", name, NULL);
  if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
    g_test_skip("the shared models are not there");
    return NULL;
  }
  if (fv_model_open(path, NULL, &model, &err) < 0) g_error("%s", err.message);
  return model;
}

static FvPlan *make_plan(FvModel *model, const char *device) {
  FvError err;
  FvPlan *plan = NULL;
  if (fv_plan_create(model, &fv_plan_params(.device = device), &plan, &err) < 0) g_error("%s", err.message);
  return plan;
}

static FvSession *make_session(FvPlan *plan) {
  FvError err;
  FvSession *session = NULL;
  if (fv_session_create(plan, &session, &err) < 0) g_error("%s", err.message);
  return session;
}

static void fill_input(FvSession *session, unsigned seed) {
  const FvTensor *input = fv_session_input(session, 0);
  float *data = input->data; /* graph inputs are dense */
  for (int64_t i = 0; i < fv_tensor_count(input); i++) {
    seed = seed * 1664525u + 1013904223u;
    data[i] = (float)(seed >> 8) / 16777216.0f;
  }
}

/* A checksum of all outputs, by logical order. */
static uint64_t run(FvSession *session) {
  FvError err;
  uint64_t hash = 0xcbf29ce484222325u;
  if (fv_session_run(session, &err) < 0) g_error("%s", err.message);
  for (int o = 0; o < fv_session_output_count(session); o++) {
    FvTensor copy = *fv_session_output(session, o);
    fv_tensor_set_contiguous(&copy);
    g_autofree unsigned char *data = g_malloc0((size_t)fv_tensor_count(&copy) * sizeof(float));
    copy.data = data;
    g_assert_cmpint(fv_tensor_copy(&copy, fv_session_output(session, o), &err), ==, 0);
    for (size_t i = 0; i < (size_t)fv_tensor_count(&copy) * sizeof(float); i++) hash = (hash ^ data[i]) * 0x100000001b3u;
  }
  return hash;
}

static void test_same_numbers(void) {
  FvModel *model = open_model("version-RFB-320.onnx");
  if (!model) return;
  FvPlan *plan = make_plan(model, "vulkan");
  FvSession *first = make_session(plan), *second = make_session(plan);
  fill_input(first, 1);
  uint64_t want = run(first);
  for (int i = 0; i < 3; i++) g_assert_cmpuint(run(first), ==, want); /* inputs stay */
  fill_input(second, 2);
  g_assert_cmpuint(run(second), !=, want);
  fill_input(second, 1);
  g_assert_cmpuint(run(second), ==, want);
  g_assert_cmpuint(run(first), ==, want);
  fv_session_destroy(&second);
  fv_session_destroy(&first);
  fv_plan_destroy(&plan);
  fv_model_destroy(&model);
}

static uint64_t run_under(FvModel *model, const char *wishes) {
  const char *given = g_getenv("FOVEA_VULKAN");
  g_autofree char *before = g_strdup(given ? given : ""), *all = g_strjoin(",", wishes, before, NULL);
  g_setenv("FOVEA_VULKAN", all, TRUE);
  FvPlan *plan = make_plan(model, "vulkan");
  FvSession *session = make_session(plan);
  fill_input(session, 1);
  uint64_t hash = run(session);
  g_assert_cmpuint(run(session), ==, hash);
  fv_session_destroy(&session);
  fv_plan_destroy(&plan);
  g_setenv("FOVEA_VULKAN", before, TRUE);
  return hash;
}

/* Barriers only where launches touch the same bytes give what barriers everywhere give; memory that is not shared with the host, what shared does. */
static void test_ways_of_running(void) {
  static const char *const models[] = {"version-RFB-320.onnx", "nanodet_m_320.onnx"};
  for (size_t i = 0; i < G_N_ELEMENTS(models); i++) {
    FvModel *model = open_model(models[i]);
    if (!model) return;
    uint64_t want = run_under(model, "texel");
    g_assert_cmpuint(run_under(model, "texel,barriers"), ==, want);
    g_assert_cmpuint(run_under(model, "texel,staging"), ==, want);
    fv_model_destroy(&model);
  }
}

/* Frames in flight have buffers of their own. */
static void test_frames_in_flight(void) {
  enum { CHANNELS = 8, SIDE = 16, COUNT = CHANNELS * SIDE * SIDE };
  FvError err;
  FvVkDevice *device = NULL;
  FvVkProgram *program = NULL;
  if (fv_vk_device_open(NULL, &device, &err) < 0) g_error("%s", err.message);
  const FvOp *op = fv_op_find("fovea", "Copy");
  FvNode node = {.op = op, .name = "copy", .input_count = 1, .output_count = 1};
  FvTensor tensor = {.dtype = FV_DTYPE_F32, .rank = 4, .dims = {1, CHANNELS, SIDE, SIDE}, .strides = {COUNT, 1, SIDE * CHANNELS, CHANNELS}};
  FvVkOperand in = {.present = true, .tensor = tensor}, out = {.present = true, .tensor = tensor, .offset = COUNT * sizeof(float)};
  const FvTensor *tensors[] = {&tensor};
  FvVkStep step = {.node = &node, .kernel = fv_vk_select(device, &(FvKernelQuery){&node, tensors, tensors}), .in = &in, .out = &out};
  FvVkProgramParams params = {.steps = &step, .step_count = 1, .arena_bytes = 2 * COUNT * sizeof(float), .inputs = &in, .outputs = &out, .input_count = 1, .output_count = 1};
  g_assert_nonnull(step.kernel);
  if (fv_vk_program_create(device, &params, &program, &err) < 0) g_error("%s", err.message);
  for (int frames = 1; frames <= FV_VK_MAX_FRAMES; frames *= 2) {
    FvVkRunner *runner = NULL;
    if (fv_vk_runner_create(program, frames, false, &runner, &err) < 0) g_error("%s", err.message);
    for (int round = 0; round < 3 * frames; round++) {
      int frame = round % frames;
      if (round >= frames) { /* this frame's last work: the round `frames` ago */
        g_assert_cmpint(fv_vk_runner_wait(runner, frame, &err), ==, 0);
        const float *got = fv_vk_runner_output(runner, frame, 0);
        for (int i = 0; i < COUNT; i++) g_assert_cmpfloat(got[i], ==, (float)(round - frames + i));
      }
      float *to = fv_vk_runner_input(runner, frame, 0);
      for (int i = 0; i < COUNT; i++) to[i] = (float)(round + i);
      g_assert_cmpint(fv_vk_runner_submit(runner, frame, &err), ==, 0);
    }
    fv_vk_runner_destroy(&runner); /* with frames still in flight */
  }
  fv_vk_program_destroy(&program);
  fv_vk_device_close(&device);
}

static long resident_pages(void) {
  long size = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2) resident = 0;
  if (file) fclose(file);
  return resident;
}

/* Growth that repeats would be over the bound many times: a session alone has megabytes. */
static void test_create_destroy(void) {
  enum { SETTLE = 40, CYCLES = 200, BOUND_BYTES = 16 << 20 };
  FvModel *model = open_model("version-RFB-320.onnx");
  if (!model) return;
  FvPlan *kept = make_plan(model, "vulkan"); /* keeps the device and its pipelines */
  long settled = 0;
  for (int i = 0; i < CYCLES; i++) {
    FvPlan *plan = make_plan(model, "vulkan");
    FvSession *session = make_session(plan);
    if (i % 100 == 0) run(session);
    fv_session_destroy(&session);
    fv_plan_destroy(&plan);
    if (i == SETTLE) settled = resident_pages();
  }
  long grown = (resident_pages() - settled) * sysconf(_SC_PAGESIZE);
  g_test_message("grew by %ld bytes", grown);
  if (!g_getenv("FOVEA_SANITIZED")) g_assert_cmpint(grown, <, BOUND_BYTES);
  fv_plan_destroy(&kept);
  fv_model_destroy(&model);
}

/* Devices come and go too; the pipelines come from the cache file. */
static void test_devices_come_and_go(void) {
  FvError err;
  for (int i = 0; i < 20; i++) {
    FvVkDevice *device = NULL, *again = NULL;
    if (fv_vk_device_open(NULL, &device, &err) < 0 || fv_vk_device_open(NULL, &again, &err) < 0) g_error("%s", err.message);
    g_assert_true(device == again);
    fv_vk_device_close(&again);
    fv_vk_device_close(&device);
    g_assert_null(device);
  }
}

static void test_bad_names(void) {
  static const char *const names[] = {"99", "-1", "no such card", "0x0"};
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
    FvError err;
    FvVkDevice *device = NULL;
    g_assert_cmpint(fv_vk_device_open(names[i], &device, &err), ==, FV_ERR_DEVICE);
    g_assert_nonnull(strstr(err.message, names[i]));
    g_assert_null(device);
  }
}

/* A lost device fails its users, with a sentence, and nobody else: opened again it is another one. */
static void test_lost_device(void) {
  FvModel *model = open_model("version-RFB-320.onnx");
  if (!model) return;
  FvError err = {0};
  FvVkDevice *device = NULL;
  FvPlan *plan = make_plan(model, "vulkan"), *again;
  FvSession *session = make_session(plan);
  fill_input(session, 1);
  uint64_t want = run(session);
  g_assert_cmpint(fv_vk_device_open(NULL, &device, &err), ==, 0); /* the same one */
  g_assert_cmpint(fv_vk_failure(device, VK_ERROR_DEVICE_LOST, "a test", &err), ==, FV_ERR_DEVICE);
  g_assert_cmpint(fv_session_run(session, &err), ==, FV_ERR_DEVICE);
  g_assert_nonnull(strstr(err.message, "lost"));
  again = make_plan(model, "vulkan");
  FvSession *second = make_session(again);
  fill_input(second, 1);
  g_assert_cmpuint(run(second), ==, want);
  g_assert_cmpint(fv_session_run(session, &err), ==, FV_ERR_DEVICE);
  fv_session_destroy(&session);
  fv_plan_destroy(&plan);
  fv_vk_device_close(&device);
  g_assert_cmpuint(run(second), ==, want);
  fv_session_destroy(&second);
  fv_plan_destroy(&again);
  fv_model_destroy(&model);
}

static void test_unsupported_names_the_node(void) {
  FvModel *model = open_model("mobilenet_v2_quant.onnx");
  if (!model) return;
  FvError err = {0};
  FvPlan *plan = NULL;
  int result = fv_plan_create(model, &fv_plan_params(.device = "vulkan"), &plan, &err);
  if (result < 0) {
    g_assert_cmpint(result, ==, FV_ERR_UNSUPPORTED);
    g_assert_nonnull(strstr(err.message, "node '"));
  }
  fv_plan_destroy(&plan);
  fv_model_destroy(&model);
}

static FvPlan *make_precise_plan(FvModel *model, const char *device, FvPrecision precision) {
  FvError err;
  FvPlan *plan = NULL;
  if (fv_plan_create(model, &fv_plan_params(.device = device, .precision = precision), &plan, &err) < 0) g_error("%s", err.message);
  return plan;
}

/* fp16 is what was asked for and takes less memory; the CPU says that it computes in fp32. */
static void test_precision(void) {
  FvModel *model = open_model("nanodet_m_320.onnx");
  if (!model) return;
  FvPlan *full = make_precise_plan(model, "vulkan", FV_PRECISION_FP32), *half = make_precise_plan(model, "vulkan", FV_PRECISION_FP16);
  FvPlan *cpu = make_precise_plan(model, "cpu", FV_PRECISION_FP16);
  g_assert_cmpint(fv_plan_info(full).precision, ==, FV_PRECISION_FP32);
  g_assert_cmpint(fv_plan_info(half).precision, ==, FV_PRECISION_FP16);
  g_assert_cmpint(fv_plan_info(cpu).precision, ==, FV_PRECISION_FP32);
  g_assert_cmpint(fv_plan_info(half).weight_bytes, <, fv_plan_info(full).weight_bytes * 3 / 4);
  g_assert_cmpint(fv_plan_info(half).session_bytes, <, fv_plan_info(full).session_bytes * 2 / 3);
  FvSession *session = make_session(half);
  fill_input(session, 1);
  uint64_t want = run(session);
  g_assert_cmpuint(run(session), ==, want);
  fv_session_destroy(&session);
  fv_plan_destroy(&cpu);
  fv_plan_destroy(&half);
  fv_plan_destroy(&full);
  fv_model_destroy(&model);
}

static void test_precision_names(void) {
  for (int p = FV_PRECISION_AUTO; p <= FV_PRECISION_FP16_ARITHMETIC; p++) g_assert_cmpint(fv_precision_from_name(fv_precision_name((FvPrecision)p)), ==, p);
  g_assert_cmpint(fv_precision_from_name("fp64"), ==, -1);
  g_assert_cmpint(fv_precision_from_name(NULL), ==, -1);
}

/* What was tuned outlives the device; numbers of ways that there are not are dropped. */
static void test_tunings_are_kept(void) {
  FvError err;
  FvVkDevice *device = NULL;
  for (int round = 0; round < 2; round++) {
    if (fv_vk_device_open(NULL, &device, &err) < 0) g_error("%s", err.message);
    if (round == 0) {
      fv_vk_tunings_set(device->tunings, 5, 3);
      fv_vk_tunings_set(device->tunings, 5, 2);
      fv_vk_tunings_set(device->tunings, 6, FV_VK_MAX_WAYS);
      fv_vk_tunings_save(device->tunings, device);
    } else {
      g_assert_cmpint(fv_vk_tuned(device->tunings, 5), ==, 2);
      g_assert_cmpint(fv_vk_tuned(device->tunings, 6), ==, -1);
      g_assert_cmpint(fv_vk_tuned(device->tunings, 7), ==, -1);
    }
    fv_vk_device_close(&device);
  }
}

static int stop_after_one(void *data, int done, int total) {
  g_assert_cmpint(done, <=, total);
  return ++*(int *)data < 1;
}

/* Stopping early keeps what is known; a tuned plan computes the same; the CPU has nothing to tune. */
static void test_tune(void) {
  FvError err;
  FvTuning tuning;
  int told = 0;
  FvModel *model = open_model("version-RFB-320.onnx");
  if (!model) return;
  FvPlan *plan = make_plan(model, "vulkan"), *cpu = make_plan(model, "cpu");
  FvSession *session = make_session(plan);
  fill_input(session, 1);
  uint64_t want = run(session);
  fv_session_destroy(&session);
  g_assert_cmpint(fv_plan_tune(plan, stop_after_one, &told, &tuning, &err), ==, 0);
  g_assert_cmpint(told, ==, 1);
  g_assert_cmpint(tuning.distinct, ==, 1);
  g_assert_cmpfloat(tuning.after_ms, <=, tuning.before_ms);
  g_assert_cmpint(fv_plan_tune(cpu, NULL, NULL, &tuning, &err), ==, FV_ERR_UNSUPPORTED);
  g_assert_nonnull(strstr(err.message, "cpu"));
  fv_plan_destroy(&plan);
  plan = make_plan(model, "vulkan");
  session = make_session(plan);
  fill_input(session, 1);
  g_assert_cmpuint(run(session), ==, want); /* every way adds up in the same order */
  fv_session_destroy(&session);
  fv_plan_destroy(&cpu);
  fv_plan_destroy(&plan);
  fv_model_destroy(&model);
}

static void write_cache(const char *folder, const char *bytes, size_t size) {
  GDir *dir = g_dir_open(folder, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_assert_true(g_file_set_contents(path, bytes, (gssize)size, NULL));
  }
  if (dir) g_dir_close(dir);
}

/* A cache file that is cut, or full of nonsense, is as good as none, and is replaced. */
static void test_corrupt_cache(void) {
  static const char nonsense[4096] = "fvvkpc01 and then something else";
  const char *folder = g_getenv("FOVEA_CACHE_DIR");
  for (size_t size = 0; size <= sizeof nonsense; size += 1024) {
    FvVkDevice *device = NULL;
    FvError err;
    write_cache(folder, nonsense, size);
    if (fv_vk_device_open(NULL, &device, &err) < 0) g_error("%s", err.message);
    fv_vk_device_close(&device);
  }
}

static void test_validation_is_silent(void) { g_assert_cmpint(fv_vk_validation_messages(), ==, 0); }

int main(int argc, char **argv) {
  g_autofree char *cache = g_dir_make_tmp("fovea-vulkan-XXXXXX", NULL);
  g_setenv("FOVEA_CACHE_DIR", cache, TRUE);
  g_test_init(&argc, &argv, NULL);
  if (!driver_found(NULL)) return 0;
  g_test_add_func("/vulkan/sessions/clean/the-same-numbers-every-run", test_same_numbers);
  g_test_add_func("/vulkan/sessions/ways-of-running-agree", test_ways_of_running);
  g_test_add_func("/vulkan/sessions/clean/frames-in-flight", test_frames_in_flight);
  g_test_add_func("/vulkan/sessions/create-and-destroy-does-not-grow", test_create_destroy);
  g_test_add_func("/vulkan/sessions/clean/devices-come-and-go", test_devices_come_and_go);
  g_test_add_func("/vulkan/sessions/bad-device-names", test_bad_names);
  g_test_add_func("/vulkan/sessions/clean/lost-device", test_lost_device);
  g_test_add_func("/vulkan/sessions/unsupported-names-the-node", test_unsupported_names_the_node);
  g_test_add_func("/vulkan/sessions/clean/precision", test_precision);
  g_test_add_func("/vulkan/sessions/precision-names", test_precision_names);
  g_test_add_func("/vulkan/sessions/tunings-are-kept", test_tunings_are_kept);
  g_test_add_func("/vulkan/sessions/clean/tune", test_tune);
  g_test_add_func("/vulkan/sessions/corrupt-cache-is-ignored", test_corrupt_cache);
  g_test_add_func("/vulkan/sessions/clean/validation-is-silent", test_validation_is_silent);
  int result = g_test_run();
  g_autofree char *remove = g_strdup_printf("rm -rf '%s'", cache);
  return system(remove) == 0 ? result : 1;
}
