/* fovea devices: what models can run on. */
#include <stdio.h>

#include <fovea/device.h>

#include "commands.h"
#include "json.h"
#include "options.h"

enum { MAX_DEVICES = 32 };

static void print_json(const FvDeviceInfo *devices, int count) {
  FvJson json;
  fv_json_init(&json);
  fv_json_open(&json, NULL, '{');
  fv_json_open(&json, "devices", '[');
  for (int i = 0; i < count; i++) {
    fv_json_open(&json, NULL, '{');
    fv_json_string(&json, "id", devices[i].id);
    fv_json_string(&json, "name", devices[i].name);
    fv_json_string(&json, "features", devices[i].features);
    fv_json_bool(&json, "usable", devices[i].usable);
    if (!devices[i].usable) fv_json_string(&json, "reason", devices[i].reason);
    fv_json_close(&json, '}');
  }
  fv_json_close(&json, ']');
  fv_json_close(&json, '}');
  fv_json_print(&json);
}

static void print_text(const FvDeviceInfo *devices, int count) {
  for (int i = 0; i < count; i++) {
    printf("%-10s %s", devices[i].id, devices[i].name);
    if (devices[i].features[0]) printf(" (%s)", devices[i].features);
    if (!devices[i].usable) printf(": not usable, %s", devices[i].reason);
    printf("\n");
  }
}

int fv_command_devices(int argc, char **argv) {
  gboolean json = FALSE;
  const GOptionEntry entries[] = {{"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL}, {0}};
  const FvUsage usage = {"devices", NULL, "Lists the devices that models can run on. The first word of a line is what --device takes.", 0, 0};
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result != FV_EXIT_OK) return result;
  FvDeviceInfo devices[MAX_DEVICES];
  int count = MIN(fv_devices_list(devices, MAX_DEVICES), MAX_DEVICES);
  (json ? print_json : print_text)(devices, count);
  return FV_EXIT_OK;
}
