/* fovea devices: what models can run on, and which device runs one of them fastest. */
#include <stdio.h>

#include <fovea/device.h>
#include <fovea/plan.h>

#include "commands.h"
#include "json.h"
#include "options.h"

enum { MAX_DEVICES = 32 };

static void json_arithmetic(FvJson *json, const FvVulkanTraits *traits) {
  fv_json_bool(json, "storage8", traits->storage8);
  fv_json_bool(json, "storage16", traits->storage16);
  fv_json_bool(json, "float16", traits->float16);
  fv_json_bool(json, "float64", traits->float64);
  fv_json_bool(json, "int8", traits->int8);
  fv_json_bool(json, "int16", traits->int16);
  fv_json_bool(json, "int64", traits->int64);
  fv_json_bool(json, "dot_product", traits->dot_product);
  fv_json_bool(json, "dot_product_accelerated", traits->dot_product_accelerated);
  fv_json_int(json, "subgroup_size", traits->subgroup_size);
  fv_json_string(json, "subgroup_operations", traits->subgroup_operations);
  fv_json_bool(json, "cooperative_matrix", traits->cooperative_matrix);
}

static void json_memory(FvJson *json, const FvVulkanTraits *traits) {
  fv_json_bool(json, "unified", traits->unified);
  fv_json_bool(json, "host_import", traits->host_import);
  fv_json_int(json, "host_import_alignment", traits->host_import_alignment);
  fv_json_bool(json, "dma_buf", traits->dma_buf);
  fv_json_int(json, "memory_bytes", traits->memory_bytes);
  fv_json_int(json, "visible_bytes", traits->visible_bytes);
  fv_json_int(json, "largest_buffer_bytes", traits->largest_buffer);
  fv_json_int(json, "largest_texel_buffer_elements", traits->largest_texel_buffer);
}

static void json_vulkan(FvJson *json, const FvDeviceInfo *device) {
  const FvVulkanTraits *traits = &device->vulkan;
  FvError err;
  char *version = g_strdup_printf("%d.%d", traits->api_major, traits->api_minor);
  fv_json_open(json, "vulkan", '{');
  fv_json_string(json, "version", version);
  fv_json_string(json, "driver", traits->driver);
  fv_json_int(json, "driver_version", traits->driver_version);
  fv_json_int(json, "vendor_id", traits->vendor_id);
  fv_json_int(json, "device_id", traits->device_id);
  fv_json_string(json, "cache_id", traits->cache_id);
  fv_json_string(json, "load_path", fv_device_load_path(device->id, &err));
  json_arithmetic(json, traits);
  json_memory(json, traits);
  fv_json_bool(json, "timeline_semaphores", traits->timeline);
  fv_json_bool(json, "async_compute", traits->async_compute);
  fv_json_int(json, "queue_family", traits->queue_family);
  fv_json_int(json, "timestamp_bits", traits->timestamp_bits);
  fv_json_close(json, '}');
  g_free(version);
}

static void json_devices(FvJson *json, const FvDeviceInfo *devices, int count) {
  fv_json_open(json, "devices", '[');
  for (int i = 0; i < count; i++) {
    fv_json_open(json, NULL, '{');
    fv_json_string(json, "id", devices[i].id);
    fv_json_string(json, "name", devices[i].name);
    fv_json_string(json, "kind", fv_device_kind_name(devices[i].kind));
    fv_json_string(json, "features", devices[i].features);
    fv_json_bool(json, "usable", devices[i].usable);
    if (!devices[i].usable) fv_json_string(json, "reason", devices[i].reason);
    if (devices[i].kind != FV_DEVICE_CPU && devices[i].usable) json_vulkan(json, &devices[i]);
    fv_json_close(json, '}');
  }
  fv_json_close(json, ']');
}

static void json_timings(FvJson *json, const FvDeviceTiming *timings, int count) {
  fv_json_open(json, "timings", '[');
  for (int i = 0; i < count; i++) {
    fv_json_open(json, NULL, '{');
    fv_json_string(json, "device", timings[i].device);
    if (timings[i].ms > 0) fv_json_number(json, "ms", timings[i].ms, 6);
    fv_json_bool(json, "chosen", timings[i].chosen);
    fv_json_string(json, "reason", timings[i].reason);
    fv_json_close(json, '}');
  }
  fv_json_close(json, ']');
}

static void print_json(const FvDeviceInfo *devices, int count, const FvDeviceTiming *timings, int timing_count) {
  FvJson json;
  fv_json_init(&json);
  fv_json_open(&json, NULL, '{');
  json_devices(&json, devices, count);
  if (timing_count) json_timings(&json, timings, timing_count);
  fv_json_close(&json, '}');
  fv_json_print(&json);
}

static void print_devices(const FvDeviceInfo *devices, int count) {
  for (int i = 0; i < count; i++) {
    printf("%-10s %s", devices[i].id, devices[i].name);
    if (devices[i].features[0]) printf(" (%s)", devices[i].features);
    if (!devices[i].usable) printf(": not usable, %s", devices[i].reason);
    printf("\n");
  }
}

static void print_timings(const FvDeviceTiming *timings, int count) {
  printf("%-10s %10s  %s\n", "device", "ms a run", "auto");
  for (int i = 0; i < count; i++) {
    char ms[32] = "-";
    if (timings[i].ms > 0) g_snprintf(ms, sizeof ms, "%.2f", timings[i].ms);
    printf("%-10s %10s  %s%s\n", timings[i].device, ms, timings[i].chosen ? "takes it: " : "", timings[i].reason);
  }
}

static int measure(const FvModelOptions *options, const char *path, FvDeviceTiming *timings, int *count) {
  FvError err;
  FvModel *model = NULL;
  int result = fv_model_options_open(options, "devices", path, &model);
  if (result == FV_EXIT_OK) {
    *count = fv_devices_measure(model, &fv_plan_params(.threads = options->threads), timings, MAX_DEVICES, &err);
    if (*count < 0) result = fv_fail("devices", "%s", err.message);
    *count = MIN(*count, MAX_DEVICES);
  }
  fv_model_destroy(&model);
  return result;
}

int fv_command_devices(int argc, char **argv) {
  FvModelOptions options = {0};
  gboolean json = FALSE;
  char *path = NULL;
  const GOptionEntry entries[] = {
    {"model", 'm', 0, G_OPTION_ARG_FILENAME, &path, "Time this model on each of them; device=auto remembers the result", "MODEL"},
    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON, with everything that was probed", NULL},
    FV_MODEL_OPTIONS(options),
    {"threads", 0, 0, G_OPTION_ARG_INT, &options.threads, "Threads of the CPU, 1 to 64; 0 is one per core (default 0)", "N"},
    {0}};
  const FvUsage usage = {"devices", NULL, "Lists the devices that models can run on. The first word of a line is what --device takes.", 0, 0};
  static FvDeviceInfo devices[MAX_DEVICES];
  static FvDeviceTiming timings[MAX_DEVICES];
  int timing_count = 0, result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK && path) result = measure(&options, path, timings, &timing_count);
  if (result == FV_EXIT_OK) {
    int count = MIN(fv_devices_list(devices, MAX_DEVICES), MAX_DEVICES);
    if (json)
      print_json(devices, count, timings, timing_count);
    else if (path)
      print_timings(timings, timing_count);
    else
      print_devices(devices, count);
  }
  fv_model_options_finish(&options);
  g_free(path);
  return result;
}
