#include "config.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <fovea/limits.h>

#include "chain.h"
#include "nearest.h"

typedef struct Reader {
  FvConfig *config;
  const FvConfigSources *sources;
  FvProblems *problems;
  int step_count;
} Reader;

/* --- What may stand in a file ------------------------------------------------------------------------------------ */

#define CHOICES(...) (const char *const[]) { __VA_ARGS__, NULL }
#define DOCUMENT(key) offsetof(FvConfig, key)
#define MODEL(key) offsetof(FvPipelineModel, key)
#define CAMERA(key) offsetof(FvCameraConfig, key)
#define DETECT(key) offsetof(FvDetectConfig, key)
#define OVERLAY(key) offsetof(FvOverlayConfig, key)
#define OUTPUT(key) offsetof(FvOutputConfig, key)

static const FvKey document_keys[] = {
  {"version", FV_KEY_INTEGER, DOCUMENT(version), true, FV_CONFIG_VERSION, FV_CONFIG_VERSION},
  {"models", FV_KEY_BLOCK},
  {"cameras", FV_KEY_BLOCK},
  {"outputs", FV_KEY_BLOCK},
  {"pipeline", FV_KEY_BLOCK},
};
static const FvKey model_keys[] = {
  {"path", FV_KEY_TEXT, MODEL(path), true},
  {"config", FV_KEY_TEXT, MODEL(config)},
  {"labels", FV_KEY_TEXT, MODEL(labels)},
  {"signature", FV_KEY_CHOICE, MODEL(signature), false, 0, 0, CHOICES("off", "warn", "require")},
  {"trusted-keys", FV_KEY_TEXT, MODEL(trusted_keys)},
  {"device", FV_KEY_TEXT, MODEL(device)},
  {"precision", FV_KEY_CHOICE, MODEL(precision), false, 0, 0, CHOICES("auto", "fp32", "fp16", "fp16-arithmetic")},
  {"fallback", FV_KEY_CHOICE, MODEL(fallback), false, 0, 0, CHOICES("cpu", "none")},
  {"threads", FV_KEY_INTEGER, MODEL(threads), false, 0, FV_MAX_THREADS},
  {"threshold", FV_KEY_NUMBER, MODEL(threshold), false, 0, 1},
  {"iou-threshold", FV_KEY_NUMBER, MODEL(iou_threshold), false, 0, 1},
  {"max-detections", FV_KEY_INTEGER, MODEL(max_detections), false, 1, FV_MAX_DETECTIONS},
};
static const FvKey camera_keys[] = {
  {"uri", FV_KEY_SECRET, CAMERA(uri), true},
  {"username", FV_KEY_SECRET, CAMERA(username)},
  {"password", FV_KEY_SECRET, CAMERA(password)},
  {"transport", FV_KEY_CHOICE, CAMERA(transport), false, 0, 0, CHOICES("auto", "tcp", "udp")},
  {"latency", FV_KEY_INTEGER, CAMERA(latency), false, 0, 60000},
  {"width", FV_KEY_INTEGER, CAMERA(width), false, 1, FV_MAX_FRAME_SIDE},
  {"height", FV_KEY_INTEGER, CAMERA(height), false, 1, FV_MAX_FRAME_SIDE},
  {"restart", FV_KEY_CHOICE, CAMERA(restart), false, 0, 0, CHOICES("auto", "always", "on-error", "never")},
  {"detect", FV_KEY_BLOCK},
  {"overlay", FV_KEY_BLOCK},
  {"outputs", FV_KEY_BLOCK},
};
static const FvKey detect_keys[] = {
  {"model", FV_KEY_TEXT, DETECT(model), true},
  {"fps", FV_KEY_INTEGER, DETECT(fps), false, 1, 1000},
  {"interval", FV_KEY_INTEGER, DETECT(interval), false, 1, 1000},
  {"policy", FV_KEY_CHOICE, DETECT(policy), false, 0, 0, CHOICES("auto", "keep-all", "keep-newest")},
  {"meta", FV_KEY_CHOICE, DETECT(meta), false, 0, 0, CHOICES("auto", "analytics", "roi", "both")},
};
static const FvKey overlay_keys[] = {
  {"line-width", FV_KEY_INTEGER, OVERLAY(line_width), false, 0, 32},
  {"font-size", FV_KEY_INTEGER, OVERLAY(font_size), false, 0, 200},
  {"labels", FV_KEY_SWITCH, OVERLAY(labels)},
  {"scores", FV_KEY_SWITCH, OVERLAY(scores)},
};
static const FvKey output_keys[] = {
  {"type", FV_KEY_CHOICE, OUTPUT(type), false, 0, 0, CHOICES("file", "stdout", "video", "display")},
  {"path", FV_KEY_TEXT, OUTPUT(path)},
  {"append", FV_KEY_SWITCH, OUTPUT(append)},
  {"codec", FV_KEY_CHOICE, OUTPUT(codec), false, 0, 0, CHOICES("auto", "h264", "vp8", "vp9")},
  {"bitrate", FV_KEY_INTEGER, OUTPUT(bitrate), false, 16, 200000},
};
static const FvKey step_keys[] = {
  {"element", FV_KEY_BLOCK}, {"name", FV_KEY_BLOCK}, {"properties", FV_KEY_BLOCK}, {"caps", FV_KEY_BLOCK}, {"tee", FV_KEY_BLOCK},
};

#define SECTION(name, keys, later) {name, keys, G_N_ELEMENTS(keys), later}
enum { SECTION_DOCUMENT, SECTION_MODEL, SECTION_CAMERA, SECTION_DETECT, SECTION_OVERLAY, SECTION_OUTPUT, SECTION_STEP };
static const FvSection sections[] = {
  [SECTION_DOCUMENT] = SECTION("document", document_keys, NULL),
  [SECTION_MODEL] = SECTION("model", model_keys, CHOICES("key", "signature")),
  [SECTION_CAMERA] = SECTION("camera", camera_keys, CHOICES("track", "zones", "lines", "classify", "clips")),
  [SECTION_DETECT] = SECTION("detect", detect_keys, NULL),
  [SECTION_OVERLAY] = SECTION("overlay", overlay_keys, NULL),
  [SECTION_OUTPUT] = SECTION("output", output_keys, CHOICES("address", "topic", "qos", "tls", "spool")),
  [SECTION_STEP] = SECTION("step", step_keys, NULL),
};
static const char *const later_outputs[] = {"mqtt", "http", "kafka", "clips", NULL};

const FvSection *fv_config_sections(int *ret_count) {
  *ret_count = G_N_ELEMENTS(sections);
  return sections;
}

/* --- Values ------------------------------------------------------------------------------------------------------ */

/* What may be repeated of a value in a message. */
static const char *shown(const FvYamlNode *node) { return node->replaced || strlen(node->text) > 64 ? "…" : node->text; }

static bool in_list(const char *word, const char *const *list) { return list != NULL && g_strv_contains(list, word); }

static bool expect_kind(Reader *reader, const FvYamlNode *node, FvYamlKind kind, const char *what) {
  static const char *const kinds[] = {"a single value", "a list", "a mapping of keys"};
  if (node->kind == kind) return true;
  fv_problems_add(reader->problems, node->place, "%s must be %s, not %s", what, kinds[kind], kinds[node->kind]);
  return false;
}

static bool parse_number(const char *text, bool integer, double *number) {
  char *end = NULL;
  errno = 0;
  *number = integer ? (double)g_ascii_strtoll(text, &end, 10) : g_ascii_strtod(text, &end);
  return errno == 0 && end != text && *end == '\0' && isfinite(*number) && !g_ascii_isspace(text[0]);
}

static void read_number(Reader *reader, const FvKey *key, FvPipelineValue *value) {
  const FvYamlNode *node = value->node;
  bool integer = key->type == FV_KEY_INTEGER;
  bool plain = !node->quoted || node->replaced; /* a variable in {…} must be quoted */
  if (plain && parse_number(node->text, integer, &value->number) && value->number >= key->min &&
      value->number <= key->max)
    return;
  if (key->min == key->max)
    fv_problems_add(reader->problems, node->place, "%s must be %g, not '%s'", key->name, key->min, shown(node));
  else
    fv_problems_add(reader->problems, node->place, "%s must be a%s number from %g to %g, not '%s'", key->name,
                    integer ? " whole" : "", key->min, key->max, shown(node));
}

static void read_switch(Reader *reader, const FvKey *key, FvPipelineValue *value) {
  static const char *const yes[] = {"true", "yes", "on", NULL}, *const no[] = {"false", "no", "off", NULL};
  value->number = in_list(value->text, yes);
  if (!value->number && !in_list(value->text, no))
    fv_problems_add(reader->problems, value->node->place, "%s must be true or false, not '%s'", key->name, shown(value->node));
}

static void read_choice(Reader *reader, const FvKey *key, FvPipelineValue *value) {
  for (int i = 0; key->choices[i] != NULL; i++) {
    if (!g_str_equal(key->choices[i], value->text)) continue;
    value->number = i;
    return;
  }
  if (key->choices == output_keys[0].choices && in_list(value->text, later_outputs)) {
    fv_problems_add(reader->problems, value->node->place, "outputs of type %s are not available in this version", value->text);
    return;
  }
  char *list = g_strjoinv(", ", (char **)key->choices);
  fv_problems_add(reader->problems, value->node->place, "%s must be one of %s, not '%s'%s", key->name, list,
                  shown(value->node), fv_did_you_mean(value->text, key->choices));
  g_free(list);
}

/* {file: PATH}: the text is the file's, without its last line break. */
static bool read_secret(Reader *reader, const FvYamlNode *node, FvPipelineValue *value) {
  const FvYamlNode *file = fv_yaml_find(node, "file");
  if (file == NULL || node->count != 1 || file->kind != FV_YAML_SCALAR) {
    fv_problems_add(reader->problems, node->place, "%s must be a text or {file: PATH}", node->key);
    return false;
  }
  if (file->broken || reader->sources->read == NULL) return false;
  gsize length = 0;
  char *error = NULL, *text = reader->sources->read(file->text, FV_MAX_SECRET_BYTES, &length, &error);
  bool ok = text != NULL && strlen(text) == length && g_utf8_validate(text, (gssize)length, NULL);
  if (ok) {
    if (length > 0 && text[length - 1] == '\n') text[--length] = '\0';
    if (length > 0 && text[length - 1] == '\r') text[--length] = '\0';
    value->text = g_string_chunk_insert(reader->config->strings, text);
    value->secret = true;
  } else {
    fv_problems_add(reader->problems, file->place, "%s", error != NULL ? error : "the secret file is not text");
  }
  g_free(error);
  g_free(text);
  return ok;
}

static void read_value(Reader *reader, const FvKey *key, const FvYamlNode *node, FvPipelineValue *value) {
  value->node = node;
  value->text = node->text;
  if (key->type == FV_KEY_SECRET && node->kind == FV_YAML_MAPPING) {
    if (!read_secret(reader, node, value)) value->text = "";
    return;
  }
  value->text = node->text != NULL ? node->text : "";
  if (!expect_kind(reader, node, FV_YAML_SCALAR, key->name) || node->broken) return;
  switch (key->type) {
  case FV_KEY_INTEGER:
  case FV_KEY_NUMBER: read_number(reader, key, value); break;
  case FV_KEY_SWITCH: read_switch(reader, key, value); break;
  case FV_KEY_CHOICE: read_choice(reader, key, value); break;
  default:
    if (*node->text == '\0') fv_problems_add(reader->problems, node->place, "%s must not be empty", key->name);
  }
}

int fv_pipeline_value_choice(const FvPipelineValue *value, int fallback) { return value->node != NULL ? (int)value->number : fallback; }

/* --- Sections ---------------------------------------------------------------------------------------------------- */

static const FvKey *find_key(const FvSection *section, const char *name) {
  for (int i = 0; i < section->key_count; i++)
    if (g_str_equal(section->keys[i].name, name)) return &section->keys[i];
  return NULL;
}

static void report_unknown(Reader *reader, const FvSection *section, const FvYamlNode *node) {
  if (in_list(node->key, section->later)) {
    fv_problems_add(reader->problems, node->key_place, "%s is not available in this version", node->key);
    return;
  }
  const char *names[32] = {NULL};
  for (int i = 0; i < section->key_count; i++) names[i] = section->keys[i].name;
  char *list = g_strjoinv(", ", (char **)names);
  const char *hint = fv_did_you_mean(node->key, names);
  if (*hint != '\0')
    fv_problems_add(reader->problems, node->key_place, "unknown key '%.64s'%s", node->key, hint);
  else
    fv_problems_add(reader->problems, node->key_place, "unknown key '%.64s': here may stand %s", node->key, list);
  g_free(list);
}

/* Reads the simple values of a mapping into target and reports strange and missing keys. */
static bool read_section(Reader *reader, const FvSection *section, const FvYamlNode *node, void *target) {
  if (!expect_kind(reader, node, FV_YAML_MAPPING, node->key != NULL ? node->key : "the file")) return false;
  for (const FvYamlNode *child = node->first; child != NULL; child = child->next) {
    const FvKey *key = find_key(section, child->key);
    if (key == NULL)
      report_unknown(reader, section, child);
    else if (key->type != FV_KEY_BLOCK)
      read_value(reader, key, child, (FvPipelineValue *)((char *)target + key->offset));
  }
  bool named = node->key != NULL && !g_str_equal(node->key, section->name); /* "camera gate", but "detect" */
  for (int i = 0; i < section->key_count; i++)
    if (section->keys[i].required && fv_yaml_find(node, section->keys[i].name) == NULL)
      fv_problems_add(reader->problems, node->key != NULL ? node->key_place : node->place, "%s%s%s needs the key '%s'",
                      section == &sections[SECTION_DOCUMENT] ? "the file" : section->name, named ? " " : "", named ? node->key : "", section->keys[i].name);
  return true;
}

/* Names become parts of element names and file names. */
static bool check_name(Reader *reader, const FvYamlNode *node, const char *what) {
  size_t length = strlen(node->key);
  bool ok = length > 0 && length <= 64 && g_ascii_isalnum(node->key[0]);
  for (size_t i = 0; ok && i < length; i++) ok = g_ascii_isalnum(node->key[i]) || node->key[i] == '_' || node->key[i] == '-';
  if (!ok)
    fv_problems_add(reader->problems, node->key_place, "the name of a %s is 1 to 64 letters, digits, '_' and '-', not '%.64s'",
                    what, node->key);
  return ok;
}

typedef void (*ReadItemFn)(Reader *reader, const FvYamlNode *node);

static void read_items(Reader *reader, const FvYamlNode *node, const char *what, int limit, ReadItemFn read) {
  if (node == NULL || !expect_kind(reader, node, FV_YAML_MAPPING, node->key)) return;
  if (node->count > limit) {
    fv_problems_add(reader->problems, node->key_place, "more than %d entries in %s", limit, node->key);
    return;
  }
  for (const FvYamlNode *child = node->first; child != NULL; child = child->next)
    if (check_name(reader, child, what)) read(reader, child);
}

bool fv_config_device_is_valid(const char *device) {
  return in_list(device, CHOICES("auto", "cpu", "vulkan")) || (g_str_has_prefix(device, "vulkan:") && device[strlen("vulkan:")] != '\0');
}

static void read_model(Reader *reader, const FvYamlNode *node) {
  FvPipelineModel *model = g_new0(FvPipelineModel, 1);
  model->name = node->key;
  model->place = node->key_place;
  g_ptr_array_add(reader->config->models, model);
  read_section(reader, &sections[SECTION_MODEL], node, model);
  if (model->device.node == NULL || model->device.node->broken) return;
  if (!fv_config_device_is_valid(model->device.text))
    fv_problems_add(reader->problems, model->device.node->place, "device must be auto, cpu, vulkan, vulkan:N or vulkan:NAME, not '%s'",
                    shown(model->device.node));
}

/* Finds the entry that a name refers to; entries begin with their name. */
static void *find_named(Reader *reader, GPtrArray *entries, const FvYamlNode *node, const char *what) {
  const char **names = g_new0(const char *, entries->len + 1);
  void *found = NULL;
  for (guint i = 0; i < entries->len; i++) {
    void *entry = g_ptr_array_index(entries, i);
    names[i] = *(const char **)entry;
    if (g_str_equal(names[i], node->text)) found = entry;
  }
  if (found == NULL && !node->broken)
    fv_problems_add(reader->problems, node->place, "there is no %s '%s'%s", what, shown(node), fv_did_you_mean(node->text, names));
  g_free(names);
  return found;
}

static void read_detect(Reader *reader, FvCameraConfig *camera, const FvYamlNode *node) {
  camera->detect_node = node;
  if (!read_section(reader, &sections[SECTION_DETECT], node, &camera->detect)) return;
  if (camera->detect.model.node != NULL && camera->detect.model.node->kind == FV_YAML_SCALAR)
    camera->model = find_named(reader, reader->config->models, camera->detect.model.node, "model");
}

static void read_overlay(Reader *reader, FvCameraConfig *camera, const FvYamlNode *node) {
  static const FvKey key = {"overlay", FV_KEY_SWITCH};
  if (node->kind == FV_YAML_MAPPING) {
    read_section(reader, &sections[SECTION_OVERLAY], node, &camera->overlay);
    camera->overlay_switch = (FvPipelineValue){.node = node, .text = "true", .number = 1};
  } else {
    read_value(reader, &key, node, &camera->overlay_switch);
  }
}

static void read_camera_outputs(Reader *reader, FvCameraConfig *camera, const FvYamlNode *node) {
  if (!expect_kind(reader, node, FV_YAML_SEQUENCE, "outputs of a camera")) return;
  camera->outputs_node = node;
  for (const FvYamlNode *child = node->first; child != NULL; child = child->next)
    if (expect_kind(reader, child, FV_YAML_SCALAR, "the name of an output"))
      find_named(reader, reader->config->outputs, child, "output");
}

static const char *const schemes[] = {"file", "rtsp", "rtsps", "http", "https", "v4l2", NULL};

static void check_uri(Reader *reader, const FvCameraConfig *camera) {
  const FvYamlNode *node = camera->uri.node;
  const char *end = node != NULL ? strstr(camera->uri.text, "://") : NULL;
  if (end == NULL) return; /* a path */
  char *scheme = g_ascii_strdown(camera->uri.text, end - camera->uri.text);
  if (!in_list(scheme, schemes))
    fv_problems_add(reader->problems, node->place, "uri must be a path or begin with file, rtsp, rtsps, http, https or v4l2 "
                    "and ://%s", camera->uri.secret || node->replaced ? "" : fv_did_you_mean(scheme, schemes));
  g_free(scheme);
}

static void read_camera(Reader *reader, const FvYamlNode *node) {
  FvCameraConfig *camera = g_new0(FvCameraConfig, 1);
  camera->name = node->key;
  camera->place = node->key_place;
  g_ptr_array_add(reader->config->cameras, camera);
  if (!read_section(reader, &sections[SECTION_CAMERA], node, camera)) return;
  check_uri(reader, camera);
  const FvYamlNode *detect = fv_yaml_find(node, "detect"), *overlay = fv_yaml_find(node, "overlay");
  const FvYamlNode *outputs = fv_yaml_find(node, "outputs");
  if (detect != NULL) read_detect(reader, camera, detect);
  if (overlay != NULL) read_overlay(reader, camera, overlay);
  if (outputs != NULL) read_camera_outputs(reader, camera, outputs);
}

/* {camera} is the only placeholder; anything else in braces is a slip. */
static void check_placeholders(Reader *reader, const FvYamlNode *node) {
  for (const char *at = node->text; (at = strchr(at, '{')) != NULL; at++) {
    if (g_str_has_prefix(at, "{camera}")) continue;
    size_t length = strcspn(at, "}");
    fv_problems_add(reader->problems, node->place, "'%.*s' in path: {camera} is the only placeholder", (int)MIN(length + 1, 40), at);
    return;
  }
}

static void read_output(Reader *reader, const FvYamlNode *node) {
  const FvKey *type_key = &output_keys[0];
  FvOutputConfig *output = g_new0(FvOutputConfig, 1);
  output->name = node->key;
  output->place = node->key_place;
  g_ptr_array_add(reader->config->outputs, output);
  if (in_list(node->key, later_outputs) && fv_yaml_find(node, "type") == NULL) {
    fv_problems_add(reader->problems, node->key_place, "outputs of type %s are not available in this version", node->key);
    return;
  }
  if (!read_section(reader, &sections[SECTION_OUTPUT], node, output)) return;
  if (output->type.node != NULL && !in_list(output->type.text, type_key->choices)) return; /* reported with the value */
  if (output->type.node == NULL && !in_list(node->key, type_key->choices)) {
    fv_problems_add(reader->problems, node->key_place, "output '%s' needs the key 'type': file, stdout, video or display", node->key);
    return;
  }
  FvPipelineValue type = output->type;
  if (type.node == NULL) { /* an output called by its type needs no type */
    FvYamlNode word = {.kind = FV_YAML_SCALAR, .place = node->key_place, .text = node->key};
    read_value(reader, type_key, &word, &type);
  }
  output->kind = (FvOutputType)type.number;
  bool writes = output->kind == FV_OUTPUT_FILE || output->kind == FV_OUTPUT_VIDEO;
  if (writes && output->path.node == NULL)
    fv_problems_add(reader->problems, node->key_place, "output '%s' needs the key 'path'", node->key);
  if (!writes && output->path.node != NULL)
    fv_problems_add(reader->problems, output->path.node->key_place, "path has no meaning for an output of this type");
  if (output->path.node != NULL && output->path.node->kind == FV_YAML_SCALAR && !output->path.node->broken)
    check_placeholders(reader, output->path.node);
  if (output->append.node != NULL && output->kind != FV_OUTPUT_FILE)
    fv_problems_add(reader->problems, output->append.node->key_place, "append is for outputs of type file");
  const FvPipelineValue *only_video[] = {&output->codec, &output->bitrate};
  for (guint i = 0; i < G_N_ELEMENTS(only_video); i++)
    if (only_video[i]->node != NULL && output->kind != FV_OUTPUT_VIDEO)
      fv_problems_add(reader->problems, only_video[i]->node->key_place, "%s is for outputs of type video", only_video[i]->node->key);
}

/* --- The raw form ------------------------------------------------------------------------------------------------ */

static const char *step_text(Reader *reader, const FvYamlNode *node, const char *key) {
  const FvYamlNode *child = fv_yaml_find(node, key);
  if (child == NULL || !expect_kind(reader, child, FV_YAML_SCALAR, key) || child->broken) return NULL;
  if (*child->text == '\0') fv_problems_add(reader->problems, child->place, "%s must not be empty", key);
  return *child->text != '\0' ? child->text : NULL;
}

static void read_properties(Reader *reader, const FvYamlNode *node, FvStep *step) {
  static const FvKey any = {"the value of a property", FV_KEY_SECRET};
  if (!expect_kind(reader, node, FV_YAML_MAPPING, "properties")) return;
  for (const FvYamlNode *child = node->first; child != NULL; child = child->next) {
    FvPipelineValue value = {child, child->text};
    if (child->kind != FV_YAML_SCALAR) read_value(reader, &any, child, &value);
    if (value.text == NULL) continue;
    fv_step_set(step, child->key, value.text, child->key_place);
    FvProperty *property = g_ptr_array_index(step->properties, step->properties->len - 1);
    property->secret = value.secret;
  }
}

static void read_steps(Reader *reader, const FvYamlNode *node, GPtrArray *chain);

static void read_tee(Reader *reader, const FvYamlNode *node, GPtrArray *chain) {
  if (!expect_kind(reader, node, FV_YAML_MAPPING, "tee")) return;
  FvStep *tee = fv_chain_add(chain, NULL, NULL, node->key_place);
  if (node->count == 0) fv_problems_add(reader->problems, node->place, "a tee needs one branch or more");
  for (const FvYamlNode *child = node->first; child != NULL; child = child->next) read_steps(reader, child, fv_step_branch(tee));
}

static void read_step(Reader *reader, const FvYamlNode *node, GPtrArray *chain) {
  if (!read_section(reader, &sections[SECTION_STEP], node, NULL)) return;
  const FvYamlNode *element = fv_yaml_find(node, "element"), *caps = fv_yaml_find(node, "caps"), *tee = fv_yaml_find(node, "tee");
  const FvYamlNode *properties = fv_yaml_find(node, "properties");
  if ((element != NULL) + (caps != NULL) + (tee != NULL) != 1) {
    fv_problems_add(reader->problems, node->place, "a step needs exactly one of element, caps and tee");
    return;
  }
  if (tee != NULL) {
    if (node->next != NULL) fv_problems_add(reader->problems, node->next->place, "nothing may follow a tee: put it into a branch");
    read_tee(reader, tee, chain);
    return;
  }
  const char *name = step_text(reader, node, "name");
  const char *text = step_text(reader, node, element != NULL ? "element" : "caps");
  if (text == NULL) return;
  FvStep *step = fv_chain_add(chain, element != NULL ? text : "capsfilter", name, (element != NULL ? element : caps)->place);
  if (caps != NULL) fv_step_set(step, "caps", text, caps->place);
  if (properties != NULL) read_properties(reader, properties, step);
}

static void read_steps(Reader *reader, const FvYamlNode *node, GPtrArray *chain) {
  if (!expect_kind(reader, node, FV_YAML_SEQUENCE, node->key)) return;
  if (node->count == 0) fv_problems_add(reader->problems, node->place, "%s has no elements", node->key);
  for (const FvYamlNode *child = node->first; child != NULL; child = child->next) {
    if (++reader->step_count > FV_MAX_STEPS) {
      fv_problems_add(reader->problems, child->place, "more than %d elements", FV_MAX_STEPS);
      return;
    }
    read_step(reader, child, chain);
  }
}

/* --- The whole --------------------------------------------------------------------------------------------------- */

bool fv_config_camera_uses(const FvCameraConfig *camera, const FvOutputConfig *output) {
  if (camera->outputs_node == NULL) return true;
  for (const FvYamlNode *name = camera->outputs_node->first; name != NULL; name = name->next)
    if (name->kind == FV_YAML_SCALAR && g_str_equal(name->text, output->name)) return true;
  return false;
}

/* Two writers of one file would destroy it. */
static void check_shared_paths(Reader *reader) {
  const FvConfig *config = reader->config;
  for (guint i = 0; i < config->outputs->len; i++) {
    const FvOutputConfig *output = g_ptr_array_index(config->outputs, i);
    const FvCameraConfig *first = NULL;
    if (output->path.node == NULL || output->path.node->broken || strstr(output->path.text, "{camera}") != NULL) continue;
    for (guint j = 0; j < config->cameras->len; j++) {
      const FvCameraConfig *camera = g_ptr_array_index(config->cameras, j);
      if (!fv_config_camera_uses(camera, output)) continue;
      if (first != NULL) {
        fv_problems_add(reader->problems, output->path.node->place,
                        "cameras %s and %s would write the same file: put {camera} into path", first->name, camera->name);
        break;
      }
      first = camera;
    }
    for (guint j = 0; j < i; j++) {
      const FvOutputConfig *other = g_ptr_array_index(config->outputs, j);
      if (other->path.node != NULL && g_str_equal(other->path.text, output->path.text))
        fv_problems_add(reader->problems, output->path.node->place, "outputs %s and %s would write the same file", other->name,
                        output->name);
    }
  }
}

static void check_cameras(Reader *reader) {
  const FvConfig *config = reader->config;
  for (guint i = 0; i < config->cameras->len; i++) {
    const FvCameraConfig *camera = g_ptr_array_index(config->cameras, i);
    bool rtsp = camera->uri.text != NULL && g_ascii_strncasecmp(camera->uri.text, "rtsp", 4) == 0;
    bool v4l2 = camera->uri.text != NULL && g_ascii_strncasecmp(camera->uri.text, "v4l2:", 5) == 0;
    const FvPipelineValue *for_rtsp[] = {&camera->username, &camera->password, &camera->transport, &camera->latency};
    const FvPipelineValue *for_v4l2[] = {&camera->width, &camera->height};
    if (camera->uri.node == NULL || camera->uri.node->broken) continue;
    for (guint j = 0; j < G_N_ELEMENTS(for_rtsp); j++)
      if (for_rtsp[j]->node != NULL && !rtsp)
        fv_problems_add(reader->problems, for_rtsp[j]->node->key_place, "%s is for rtsp:// cameras", for_rtsp[j]->node->key);
    for (guint j = 0; j < G_N_ELEMENTS(for_v4l2); j++)
      if (for_v4l2[j]->node != NULL && !v4l2)
        fv_problems_add(reader->problems, for_v4l2[j]->node->key_place, "%s is for v4l2:// cameras", for_v4l2[j]->node->key);
  }
}

static void read_document(Reader *reader) {
  FvConfig *config = reader->config;
  const FvYamlNode *root = fv_yaml_root(config->yaml);
  if (!read_section(reader, &sections[SECTION_DOCUMENT], root, config)) return;
  /* Names are defined before they are used, whatever the order in the file. */
  read_items(reader, fv_yaml_find(root, "models"), "model", FV_MAX_MODELS, read_model);
  read_items(reader, fv_yaml_find(root, "outputs"), "output", FV_MAX_OUTPUTS, read_output);
  read_items(reader, fv_yaml_find(root, "cameras"), "camera", FV_MAX_CAMERAS, read_camera);
  const FvYamlNode *cameras = fv_yaml_find(root, "cameras"), *pipeline = fv_yaml_find(root, "pipeline");
  if (pipeline != NULL) {
    config->steps = fv_chain_new();
    config->steps_place = pipeline->key_place;
    read_steps(reader, pipeline, config->steps);
  }
  bool no_camera = cameras == NULL || (cameras->kind == FV_YAML_MAPPING && cameras->count == 0);
  if (no_camera && pipeline == NULL)
    fv_problems_add(reader->problems, root->place, "nothing to run: give one or more 'cameras', or a 'pipeline'");
  check_shared_paths(reader);
  check_cameras(reader);
}

FvConfig *fv_config_parse(const char *data, size_t length, const FvConfigSources *sources, FvProblems *problems) {
  guint before = problems->items->len;
  if ((int64_t)length > FV_MAX_CONFIG_BYTES) {
    fv_problems_add(problems, (FvPlace){0, 0}, "more than %lld bytes", (long long)FV_MAX_CONFIG_BYTES);
    return NULL;
  }
  FvConfig *config = g_new0(FvConfig, 1);
  config->file = g_strdup(problems->file);
  config->strings = g_string_chunk_new(256);
  config->models = g_ptr_array_new_with_free_func(g_free);
  config->cameras = g_ptr_array_new_with_free_func(g_free);
  config->outputs = g_ptr_array_new_with_free_func(g_free);
  config->yaml = fv_yaml_parse(data, length, sources->env, sources->user, problems);
  Reader reader = {config, sources, problems, 0};
  if (config->yaml != NULL) read_document(&reader);
  if (problems->items->len > before) g_clear_pointer(&config, fv_config_free);
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

void fv_config_free(FvConfig *config) {
  if (config == NULL) return;
  g_free(config->file);
  fv_yaml_free(config->yaml);
  g_string_chunk_free(config->strings);
  g_ptr_array_unref(config->models);
  g_ptr_array_unref(config->cameras);
  g_ptr_array_unref(config->outputs);
  g_clear_pointer(&config->steps, g_ptr_array_unref);
  g_free(config);
}
