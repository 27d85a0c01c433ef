/* device="auto": what is measured, what is remembered, and what becomes of memories that no longer hold. Which device is the faster is not tested. */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cache.h"
#include "build_model.h"
#include "session/choose.h"

enum { MAX_DEVICES = 32 };

static char *folder;

static FvModel *make_model(void) {
  Build build;
  FvModel *model = NULL;
  FvError err;
  build_small(&build);
  GBytes *bytes = build_pack(&build);
  gsize size;
  const void *data = g_bytes_get_data(bytes, &size);
  if (fv_model_open_memory(data, size, "small", NULL, &model, &err) < 0) g_error("%s", err.message);
  g_autofree char *sum = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);
  g_assert_cmpstr(fv_model_sha256(model), ==, sum);
  g_bytes_unref(bytes);
  build_free(&build);
  return model;
}

static void forget(void) {
  g_autofree char *path = g_build_filename(folder, "devices.cache", NULL);
  remove(path);
}

static FvPlan *make_plan(FvModel *model, unsigned flags) {
  FvPlan *plan = NULL;
  FvError err;
  if (fv_plan_create(model, &fv_plan_params(.flags = flags, .threads = 1), &plan, &err) < 0) g_error("%s", err.message);
  return plan;
}

static void expect_plan(FvModel *model, unsigned flags, const char *device, const char *choice) {
  FvPlan *plan = make_plan(model, flags);
  FvPlanInfo info = fv_plan_info(plan);
  g_assert_cmpstr(info.device, ==, device);
  if (choice) g_assert_cmpstr(info.choice, ==, choice);
  fv_plan_destroy(&plan);
}

/* What the cache holds for plans of make_plan(). */
static FvChoice recall(FvModel *model) {
  FvChoice choice;
  g_assert_true(fv_choice_key(model, &fv_plan_params(.threads = 1), choice.key));
  if (!fv_choice_recall(choice.key, &choice)) choice.device[0] = '\0';
  return choice;
}

static void test_nothing_is_remembered(void) {
  FvModel *model = make_model();
  forget();
  expect_plan(model, FV_PLAN_NO_MEASURE, "cpu", "");
  g_assert_cmpstr(recall(model).device, ==, "");
  fv_model_destroy(&model);
}

/* Where the CPU is fast no driver is opened, and that is remembered too. */
static void test_fast_model(void) {
  static const uint8_t none[FV_CHOICE_KEY_BYTES];
  FvModel *model = make_model();
  forget();
  FvPlan *plan = make_plan(model, 0);
  g_assert_cmpstr(fv_plan_info(plan).device, ==, "cpu");
  g_autofree char *choice = g_strdup(fv_plan_info(plan).choice);
  g_assert_true(g_str_has_suffix(choice, " ms a run"));
  fv_plan_destroy(&plan);
  FvChoice remembered = recall(model);
  g_assert_cmpstr(remembered.device, ==, "cpu");
  g_assert_cmpmem(remembered.devices, sizeof remembered.devices, none, sizeof none);
  expect_plan(model, 0, "cpu", choice); /* recalled: measured again it would be another number, sooner or later */
  expect_plan(model, FV_PLAN_NO_MEASURE, "cpu", choice);
  expect_plan(model, FV_PLAN_PROFILE, "cpu", choice);
  expect_plan(model, FV_PLAN_REFERENCE, "cpu", "");
  fv_model_destroy(&model);
}

static void test_table(void) {
  FvModel *model = make_model();
  FvError err;
  FvDeviceTiming *table = g_new0(FvDeviceTiming, MAX_DEVICES);
  FvDeviceInfo *devices = g_new0(FvDeviceInfo, MAX_DEVICES);
  const char *chosen = NULL;
  forget();
  int count = fv_devices_measure(model, &fv_plan_params(.threads = 1), table, MAX_DEVICES, &err);
  g_assert_cmpint(count, ==, fv_devices_list(devices, MAX_DEVICES));
  for (int i = 0; i < count; i++) {
    g_test_message("%s: %g ms, %s", table[i].device, table[i].ms, table[i].reason);
    g_assert_cmpstr(table[i].device, ==, devices[i].id);
    g_assert_cmpstr(table[i].name, ==, devices[i].name);
    g_assert_cmpstr(table[i].reason, !=, "");
    if (devices[i].usable) g_assert_cmpfloat(table[i].ms, >, 0);
    if (devices[i].kind == FV_DEVICE_SOFTWARE) g_assert_false(table[i].chosen); /* starting it takes a thousand times what this model takes */
    if (!table[i].chosen) continue;
    g_assert_null(chosen);
    chosen = table[i].device;
  }
  g_assert_nonnull(chosen);
  g_assert_cmpstr(recall(model).device, ==, chosen);
  expect_plan(model, 0, chosen, NULL);
  expect_plan(model, FV_PLAN_NO_MEASURE, chosen, NULL);
  g_assert_cmpint(fv_devices_measure(model, NULL, NULL, 0, &err), ==, count);
  g_assert_cmpint(fv_devices_measure(model, &fv_plan_params(.threads = -1), table, MAX_DEVICES, &err), ==, FV_ERR_INVALID);
  g_free(devices);
  g_free(table);
  fv_model_destroy(&model);
}

/* Shapes, threads and constants make other keys; the device asked for does not. */
static void test_keys(void) {
  FvModel *model = make_model();
  float value = 1;
  FvNamedTensor constant = {"x", {.dtype = FV_DTYPE_F32, .rank = 1, .dims = {1}, .strides = {1}, .data = &value}};
  uint8_t first[FV_CHOICE_KEY_BYTES], second[FV_CHOICE_KEY_BYTES];
  g_assert_true(fv_choice_key(model, &fv_plan_params(.threads = 1), first));
  g_assert_true(fv_choice_key(model, &fv_plan_params(.threads = 1, .device = "vulkan"), second));
  g_assert_cmpmem(first, sizeof first, second, sizeof second);
  const FvPlanParams others[] = {{.threads = 2}, {.threads = 1, .flags = FV_PLAN_NO_FUSION}, {.threads = 1, .constants = &constant, .constant_count = 1}};
  for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
    g_assert_true(fv_choice_key(model, &others[i], second));
    g_assert_cmpint(memcmp(first, second, sizeof first), !=, 0);
  }
  fv_model_destroy(&model);
}

/* A device that is gone, of other drivers, or no device at all: measured again. */
static void test_outdated(void) {
  static const char *const gone[] = {"vulkan:15", "nonsense", "", "cpu:1"};
  FvModel *model = make_model();
  FvDeviceInfo *devices = g_new0(FvDeviceInfo, MAX_DEVICES);
  int count = fv_devices_list(devices, MAX_DEVICES);
  for (size_t i = 0; i < G_N_ELEMENTS(gone) * 2; i++) {
    FvChoice choice = {.ms = 1, .cpu_ms = 2};
    g_assert_true(fv_choice_key(model, &fv_plan_params(.threads = 1), choice.key));
    fv_choice_devices(devices, count, choice.devices);
    if (i >= G_N_ELEMENTS(gone)) choice.devices[0] ^= 1;
    g_strlcpy(choice.device, gone[i % G_N_ELEMENTS(gone)], sizeof choice.device);
    fv_choice_remember(&choice);
    expect_plan(model, FV_PLAN_NO_MEASURE, "cpu", "");
    expect_plan(model, 0, "cpu", NULL); /* fast enough */
    g_assert_cmpstr(recall(model).device, ==, "cpu");
  }
  g_free(devices);
  fv_model_destroy(&model);
}

static void test_bound(void) {
  enum { WRITTEN = 300, KEPT = 256 };
  FvChoice choice = {.device = "cpu"}, found;
  size_t size;
  forget();
  for (int i = 0; i < WRITTEN; i++) {
    memcpy(choice.key, &i, sizeof i);
    fv_choice_remember(&choice);
    if (i % 50 == 0) fv_choice_remember(&choice); /* takes its own place */
  }
  void *data = fv_cache_read("devices.cache", "fvauto01", 1 << 20, &size);
  g_assert_cmpuint(size, ==, KEPT * sizeof choice);
  free(data);
  for (int i = 0; i < WRITTEN; i++) {
    memcpy(choice.key, &i, sizeof i);
    g_assert_cmpint(fv_choice_recall(choice.key, &found), ==, i >= WRITTEN - KEPT);
  }
}

/* Nonsense under a good checksum, too. */
static void test_damaged(void) {
  FvModel *model = make_model();
  for (size_t size = 1; size < 4 * sizeof(FvChoice); size += 29) {
    g_autofree char *nonsense = g_malloc(size);
    memset(nonsense, 0xab, size);
    fv_cache_write("devices.cache", "fvauto01", nonsense, size);
    expect_plan(model, FV_PLAN_NO_MEASURE, "cpu", "");
  }
  fv_model_destroy(&model);
}

static void test_environment(void) {
  FvModel *model = make_model();
  FvPlan *plan = NULL;
  FvError err = {0};
  g_setenv("FOVEA_DEVICE", "cpu", TRUE);
  expect_plan(model, 0, "cpu", "");
  g_setenv("FOVEA_DEVICE", "toaster", TRUE);
  g_assert_cmpint(fv_plan_create(model, NULL, &plan, &err), ==, FV_ERR_INVALID);
  g_assert_nonnull(strstr(err.message, "FOVEA_DEVICE"));
  g_assert_nonnull(strstr(err.message, "toaster"));
  g_assert_cmpint(fv_plan_create(model, &fv_plan_params(.device = "cpu"), &plan, &err), ==, 0); /* asked for: not looked at */
  fv_plan_destroy(&plan);
  expect_plan(model, FV_PLAN_REFERENCE, "cpu", "");
  g_unsetenv("FOVEA_DEVICE");
  fv_model_destroy(&model);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  folder = g_dir_make_tmp("fovea-choose-XXXXXX", NULL);
  g_setenv("FOVEA_CACHE_DIR", folder, TRUE);
  g_unsetenv("FOVEA_DEVICE");
  g_test_add_func("/session/choose/nothing-is-remembered", test_nothing_is_remembered);
  g_test_add_func("/session/choose/fast-models-stay-on-the-cpu", test_fast_model);
  g_test_add_func("/session/choose/table", test_table);
  g_test_add_func("/session/choose/keys", test_keys);
  g_test_add_func("/session/choose/outdated-memories-are-measured-again", test_outdated);
  g_test_add_func("/session/choose/bounded", test_bound);
  g_test_add_func("/session/choose/damaged-files-are-absent", test_damaged);
  g_test_add_func("/session/choose/environment", test_environment);
  int result = g_test_run();
  g_autofree char *remove = g_strdup_printf("rm -rf '%s'", folder);
  if (system(remove) != 0) result = 1;
  g_free(folder);
  return result;
}
