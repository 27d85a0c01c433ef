/* A device that is lost, out of memory or silent: an error with a sentence, nothing left behind, and a process that goes on. The failures are made by
 * FOVEA_VULKAN's words, see vulkan/fault.h. */
#include <fovea/fovea.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build_model.h"
#include "driver.h"
#include "session/choose.h"
#include "vulkan/device.h"
#include "vulkan/pipeline.h"
#include "vulkan/vk.h"

static char usual[64]; /* FOVEA_VULKAN where nothing is to fail */

enum { MOST_EVENTS = 20 /* of one kind while a small model is loaded and run once */ };

static void set_fault(const char *fault) {
  g_autofree char *wishes = g_strjoin(",", usual, fault, NULL);
  g_setenv("FOVEA_VULKAN", wishes, TRUE);
}

/* Loads and runs; the sum of the output through *sum. */
static int try_model(FvModel *model, const char *device, double *sum, FvError *err) {
  FvPlan *plan = NULL;
  FvSession *session = NULL;
  int result = fv_plan_create(model, &fv_plan_params(.device = device), &plan, err);
  if (result == 0) result = fv_session_create(plan, &session, err);
  if (result == 0) {
    const FvTensor *input = fv_session_input(session, 0);
    for (int64_t i = 0; i < fv_tensor_count(input); i++) ((float *)input->data)[i] = (float)(i % 5);
    result = fv_session_run(session, err);
  }
  if (result == 0) {
    FvTensor copy = *fv_session_output(session, 0);
    float values[1024];
    g_assert_cmpint(fv_tensor_count(&copy), <=, G_N_ELEMENTS(values));
    fv_tensor_set_contiguous(&copy);
    copy.data = values;
    g_assert_cmpint(fv_tensor_copy(&copy, fv_session_output(session, 0), err), ==, 0);
    *sum = 0;
    for (int64_t i = 0; i < fv_tensor_count(&copy); i++) *sum += (double)values[i];
  }
  fv_session_destroy(&session);
  fv_plan_destroy(&plan);
  return result;
}

static double expect_good(FvModel *model) {
  FvError err;
  double sum = 0;
  if (try_model(model, "vulkan", &sum, &err) < 0) g_error("%s", err.message);
  return sum;
}

/* Has every event of one kind fail in its turn, until there are no more. */
static void fail_one_after_another(const char *word, const char *more, const char *sentence, int at_least) {
  FvModel *model = build_small_model("small");
  double want = expect_good(model), got = 0;
  int failed = 0;
  for (int n = 1; n < MOST_EVENTS; n++) {
    g_autofree char *fault = g_strdup_printf("%s%s:%d", more, word, n);
    FvError err = {0};
    set_fault(fault);
    int result = try_model(model, "vulkan", &got, &err);
    g_setenv("FOVEA_VULKAN", usual, TRUE);
    g_assert_cmpfloat(expect_good(model), ==, want);
    if (result == 0) break;
    g_assert_cmpint(result, ==, FV_ERR_DEVICE);
    if (!strstr(err.message, sentence)) g_error("no '%s' in: %s", sentence, err.message);
    failed++;
  }
  g_assert_cmpint(failed, >=, at_least);
  g_assert_cmpint(failed, <, MOST_EVENTS - 1);
  fv_model_destroy(&model);
}

static void test_out_of_memory(void) { fail_one_after_another("oom", "", "out of device memory", 2); }
static void test_out_of_memory_staging(void) { fail_one_after_another("oom", "staging,", "out of device memory", 5); }
static void test_lost(void) { fail_one_after_another("lose", "", "was lost", 1); }
static void test_lost_staging(void) { fail_one_after_another("lose", "staging,", "was lost", 3); }
static void test_silent(void) { fail_one_after_another("hang", "", "no answer in time", 1); }
static void test_silent_staging(void) { fail_one_after_another("hang", "staging,", "no answer in time", 3); }

/* Running out of memory is nobody else's trouble: the device goes on, and holds what it held. */
static void test_others_go_on(void) {
  FvModel *model = build_small_model("small");
  FvError err;
  FvVkDevice *device = NULL;
  double sum;
  set_fault("oom:1");
  if (fv_vk_device_open(NULL, &device, &err) < 0) g_error("%s", err.message);
  g_setenv("FOVEA_VULKAN", usual, TRUE);
  int before = atomic_load(&device->buffer_count);
  g_assert_cmpint(try_model(model, "vulkan", &sum, &err), ==, FV_ERR_DEVICE); /* on this device: it is shared */
  g_assert_cmpint(atomic_load(&device->buffer_count), ==, before);
  g_assert_false(atomic_load(&device->lost));
  expect_good(model);
  g_assert_cmpint(atomic_load(&device->buffer_count), ==, before);
  fv_vk_device_close(&device);
  fv_model_destroy(&model);
}

/* A device that fails while it is measured is left out, and not for good. */
static void test_auto(void) {
  static const char *const faults[] = {"oom:1", "lose:1", "hang:1"};
  FvModel *model = build_small_model("small");
  FvDeviceTiming table[32];
  FvError err;
  for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
    FvChoice choice;
    set_fault(faults[i]);
    int count = fv_devices_measure(model, NULL, table, G_N_ELEMENTS(table), &err);
    g_setenv("FOVEA_VULKAN", usual, TRUE);
    g_assert_cmpint(count, >=, 2);
    g_assert_true(table[0].chosen);
    g_assert_cmpfloat(table[1].ms, ==, 0);
    g_assert_nonnull(strstr(table[1].reason, "device 'vulkan:0'"));
    g_assert_true(fv_choice_key(model, &(FvPlanParams){0}, choice.key));
    g_assert_false(fv_choice_recall(choice.key, &choice));
  }
  fv_model_destroy(&model);
}

static long resident_bytes(void) {
  long size = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2) resident = 0;
  if (file) fclose(file);
  return resident * sysconf(_SC_PAGESIZE);
}

/* Plans on one device share its pipelines; what a plan and its session hold goes with them, two hundred times. Then two hundred devices: what the software
 * driver forgets of each is below a kilobyte, while a device that stayed would hold megabytes. */
static void test_nothing_is_left(void) {
  FvModel *model = build_small_model("small");
  FvError err;
  FvVkDevice *device = NULL;
  if (fv_vk_device_open(NULL, &device, &err) < 0) g_error("%s", err.message);
  expect_good(model);
  int buffers = atomic_load(&device->buffer_count), pipelines = fv_vk_pipeline_count(device);
  g_assert_cmpint(buffers, ==, 0);
  g_assert_cmpint(pipelines, >, 0);
  for (int i = 0; i < 200; i++) expect_good(model);
  g_assert_cmpint(atomic_load(&device->buffer_count), ==, buffers);
  g_assert_cmpint(fv_vk_pipeline_count(device), ==, pipelines);
  fv_vk_device_close(&device);
  long settled = 0;
  for (int i = 0; i < 200; i++) {
    expect_good(model);
    if (i == 40) settled = resident_bytes();
  }
  long grown = resident_bytes() - settled;
  g_test_message("grew by %ld bytes", grown);
  if (!g_getenv("FOVEA_SANITIZED")) g_assert_cmpint(grown, <, 16 << 20);
  fv_model_destroy(&model);
}

int main(int argc, char **argv) {
  g_autofree char *cache = g_dir_make_tmp("fovea-vulkan-XXXXXX", NULL);
  g_setenv("FOVEA_CACHE_DIR", cache, TRUE);
  g_unsetenv("FOVEA_DEVICE");
  const char *given = g_getenv("FOVEA_VULKAN");
  g_snprintf(usual, sizeof usual, "storage,%s", given ? given : ""); /* without the probe, which would take most of the time */
  g_setenv("FOVEA_VULKAN", usual, TRUE);
  g_test_init(&argc, &argv, NULL);
  if (!driver_found(NULL)) return 0;
  g_test_add_func("/vulkan/faults/out-of-memory", test_out_of_memory);
  g_test_add_func("/vulkan/faults/out-of-memory-with-staging", test_out_of_memory_staging);
  g_test_add_func("/vulkan/faults/lost", test_lost);
  g_test_add_func("/vulkan/faults/lost-with-staging", test_lost_staging);
  g_test_add_func("/vulkan/faults/silent", test_silent);
  g_test_add_func("/vulkan/faults/silent-with-staging", test_silent_staging);
  g_test_add_func("/vulkan/faults/others-go-on", test_others_go_on);
  g_test_add_func("/vulkan/faults/auto-leaves-it-out", test_auto);
  g_test_add_func("/vulkan/faults/nothing-is-left", test_nothing_is_left);
  int result = g_test_run();
  g_autofree char *remove = g_strdup_printf("rm -rf '%s'", cache);
  return system(remove) == 0 ? result : 1;
}
