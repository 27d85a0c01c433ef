#include "reader.h"

#include <stdint.h>
#include <string.h>

#include <fovea/limits.h>

#include "chain.h"
#include "nearest.h"

#define CHOICES(...) (const char *const[]) { __VA_ARGS__, NULL }

/* Names become parts of element names and file names. */
static bool check_name(FvReader *reader, const FvYamlNode *node, const char *what) {
  size_t length = strlen(node->key);
  bool ok = length > 0 && length <= 64 && g_ascii_isalnum(node->key[0]);
  for (size_t i = 0; ok && i < length; i++) ok = g_ascii_isalnum(node->key[i]) || node->key[i] == '_' || node->key[i] == '-';
  if (!ok)
    fv_problems_add(reader->problems, node->key_place, "the name of a %s is 1 to 64 letters, digits, '_' and '-', not '%.64s'",
                    what, node->key);
  return ok;
}

typedef void (*ReadItemFn)(FvReader *reader, const FvYamlNode *node);

static void read_items(FvReader *reader, const FvYamlNode *node, const char *what, int limit, ReadItemFn read) {
  if (node == NULL || !fv_expect_kind(reader, node, FV_YAML_MAPPING, node->key)) return;
  if (node->count > limit) {
    fv_problems_add(reader->problems, node->key_place, "more than %d entries in %s", limit, node->key);
    return;
  }
  for (const FvYamlNode *child = node->first; child != NULL; child = child->next)
    if (check_name(reader, child, what)) read(reader, child);
}

bool fv_config_device_is_valid(const char *device) {
  return fv_in_list(device, CHOICES("auto", "cpu", "vulkan")) || (g_str_has_prefix(device, "vulkan:") && device[strlen("vulkan:")] != '\0');
}

static void read_model(FvReader *reader, const FvYamlNode *node) {
  FvPipelineModel *model = g_new0(FvPipelineModel, 1);
  model->name = node->key;
  model->place = node->key_place;
  g_ptr_array_add(reader->config->models, model);
  fv_read_section(reader, &fv_config_sections[FV_SECTION_MODEL], node, model);
  if (model->device.node == NULL || model->device.node->broken) return;
  if (!fv_config_device_is_valid(model->device.text))
    fv_problems_add(reader->problems, model->device.node->place, "device must be auto, cpu, vulkan, vulkan:N or vulkan:NAME, not '%s'",
                    fv_shown(model->device.node));
}

static void read_overlay(FvReader *reader, FvCameraConfig *camera, const FvYamlNode *node) {
  static const FvKey key = {"overlay", FV_KEY_SWITCH};
  camera->overlay.node = node;
  if (node->kind == FV_YAML_MAPPING) {
    fv_read_section(reader, &fv_config_sections[FV_SECTION_OVERLAY], node, &camera->overlay);
    camera->overlay_switch = (FvPipelineValue){.node = node, .text = "true", .number = 1};
  } else {
    fv_read_value(reader, &key, node, &camera->overlay_switch);
  }
}

static void read_camera_outputs(FvReader *reader, FvCameraConfig *camera, const FvYamlNode *node) {
  if (!fv_expect_kind(reader, node, FV_YAML_SEQUENCE, "outputs of a camera")) return;
  camera->outputs_node = node;
  for (const FvYamlNode *child = node->first; child != NULL; child = child->next)
    if (fv_expect_kind(reader, child, FV_YAML_SCALAR, "the name of an output"))
      fv_find_named(reader, reader->config->outputs, child, "output");
}

static const char *const schemes[] = {"file", "rtsp", "rtsps", "http", "https", "v4l2", "srt", "rtmp", "rtmps", NULL};

static void check_uri(FvReader *reader, const FvCameraConfig *camera) {
  const FvYamlNode *node = camera->uri.node;
  const char *end = node != NULL ? strstr(camera->uri.text, "://") : NULL;
  if (end == NULL) return; /* a path */
  char *scheme = g_ascii_strdown(camera->uri.text, end - camera->uri.text);
  if (!fv_in_list(scheme, schemes))
    fv_problems_add(reader->problems, node->place, "uri must be a path or begin with file, rtsp, rtsps, http, https, v4l2, srt, rtmp or rtmps and ://%s",
                    camera->uri.secret || node->replaced ? "" : fv_did_you_mean(scheme, schemes));
  g_free(scheme);
}

static void read_camera(FvReader *reader, const FvYamlNode *node) {
  FvCameraConfig *camera = g_new0(FvCameraConfig, 1);
  camera->name = node->key;
  camera->place = node->key_place;
  g_ptr_array_add(reader->config->cameras, camera);
  if (!fv_read_section(reader, &fv_config_sections[FV_SECTION_CAMERA], node, camera)) return;
  check_uri(reader, camera);
  const FvYamlNode *overlay = fv_yaml_find(node, "overlay"), *outputs = fv_yaml_find(node, "outputs");
  if (camera->detect.model.node != NULL && camera->detect.model.node->kind == FV_YAML_SCALAR)
    camera->model = fv_find_named(reader, reader->config->models, camera->detect.model.node, "model");
  if (overlay != NULL) read_overlay(reader, camera, overlay);
  if (outputs != NULL) read_camera_outputs(reader, camera, outputs);
}

/* --- The whole --------------------------------------------------------------------------------------------------- */

static bool begins(const FvPipelineValue *uri, const char *const *words) {
  for (int i = 0; words[i] != NULL; i++)
    if (g_ascii_strncasecmp(uri->text, words[i], strlen(words[i])) == 0) return true;
  return false;
}

/* Keys that would be ignored by the kind of source that a camera has. */
static void check_camera_keys(FvReader *reader, const FvCameraConfig *camera) {
  const struct { const FvPipelineValue *value; const char *const *schemes, *what; } for_some[] = {
    {&camera->username, CHOICES("rtsp:", "rtsps:", "http:", "https:"), "rtsp:// and http:// cameras"},
    {&camera->password, CHOICES("rtsp:", "rtsps:", "http:", "https:"), "rtsp:// and http:// cameras"},
    {&camera->transport, CHOICES("rtsp:", "rtsps:"), "rtsp:// cameras"},
    {&camera->latency, CHOICES("rtsp:", "rtsps:", "srt:"), "rtsp:// and srt:// cameras"},
    {&camera->width, CHOICES("v4l2:"), "v4l2:// cameras"},
    {&camera->height, CHOICES("v4l2:"), "v4l2:// cameras"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(for_some); i++) {
    const FvYamlNode *node = for_some[i].value->node;
    if (node != NULL && !begins(&camera->uri, for_some[i].schemes))
      fv_problems_add(reader->problems, node->key_place, "%s is for %s", node->key, for_some[i].what);
  }
  if (camera->retry.min.node != NULL && camera->retry.max.node != NULL && camera->retry.min.number > camera->retry.max.number)
    fv_problems_add(reader->problems, camera->retry.max.node->place, "max must not be below min");
}

static void check_cameras(FvReader *reader) {
  const FvConfig *config = reader->config;
  for (guint i = 0; i < config->cameras->len; i++) {
    const FvCameraConfig *camera = g_ptr_array_index(config->cameras, i);
    if (camera->uri.node != NULL && camera->uri.text != NULL && !camera->uri.node->broken) check_camera_keys(reader, camera);
  }
}

static void read_document(FvReader *reader) {
  FvConfig *config = reader->config;
  const FvYamlNode *root = fv_yaml_root(config->yaml);
  if (!fv_read_section(reader, &fv_config_sections[FV_SECTION_DOCUMENT], root, config)) return;
  /* Names are defined before they are used, whatever the order in the file. */
  read_items(reader, fv_yaml_find(root, "models"), "model", FV_MAX_MODELS, read_model);
  read_items(reader, fv_yaml_find(root, "outputs"), "output", FV_MAX_OUTPUTS, fv_read_output);
  read_items(reader, fv_yaml_find(root, "cameras"), "camera", FV_MAX_CAMERAS, read_camera);
  const FvYamlNode *cameras = fv_yaml_find(root, "cameras"), *pipeline = fv_yaml_find(root, "pipeline");
  if (pipeline != NULL) {
    config->steps = fv_chain_new();
    config->steps_place = pipeline->key_place;
    fv_read_steps(reader, pipeline, config->steps);
  }
  bool no_camera = cameras == NULL || (cameras->kind == FV_YAML_MAPPING && cameras->count == 0);
  if (no_camera && pipeline == NULL)
    fv_problems_add(reader->problems, root->place, "nothing to run: give one or more 'cameras', or a 'pipeline'");
  fv_check_shared_outputs(reader);
  check_cameras(reader);
}

FvConfig *fv_config_parse(const char *data, size_t length, const FvConfigSources *sources, FvProblems *problems) {
  guint before = problems->items->len;
  if ((int64_t)length > FV_MAX_CONFIG_BYTES) {
    fv_problems_add(problems, (FvPlace){0, 0}, "more than %lld bytes", (long long)FV_MAX_CONFIG_BYTES);
    return NULL;
  }
  FvConfig *config = g_new0(FvConfig, 1);
  config->references = 1;
  config->file = g_strdup(problems->file);
  config->strings = g_string_chunk_new(256);
  config->models = g_ptr_array_new_with_free_func(g_free);
  config->cameras = g_ptr_array_new_with_free_func(g_free);
  config->outputs = g_ptr_array_new_with_free_func(g_free);
  config->yaml = fv_yaml_parse(data, length, sources->env, sources->user, problems);
  FvReader reader = {config, sources, problems, 0};
  if (config->yaml != NULL) read_document(&reader);
  if (problems->items->len > before) g_clear_pointer(&config, fv_config_unref);
  return config;
}

static const char *process_env(const char *name, void *user) { return g_getenv(name); }

const FvConfigSources fv_config_sources = {process_env, fv_read_bounded, NULL};

FvConfig *fv_config_load(const char *path, FvProblems *problems) {
  gsize length = 0;
  char *error = NULL, *data = fv_read_bounded(path, (gsize)FV_MAX_CONFIG_BYTES, &length, &error);
  if (data == NULL) {
    fv_problems_add(problems, (FvPlace){0, 0}, "%s", error);
    g_free(error);
    return NULL;
  }
  FvConfig *config = fv_config_parse(data, length, &fv_config_sources, problems);
  g_free(data);
  return config;
}

FvConfig *fv_config_ref(FvConfig *config) {
  config->references++;
  return config;
}

void fv_config_unref(FvConfig *config) {
  if (config == NULL || --config->references > 0) return;
  g_free(config->file);
  fv_yaml_free(config->yaml);
  g_string_chunk_free(config->strings);
  g_ptr_array_unref(config->models);
  g_ptr_array_unref(config->cameras);
  g_ptr_array_unref(config->outputs);
  g_clear_pointer(&config->steps, g_ptr_array_unref);
  g_free(config);
}
