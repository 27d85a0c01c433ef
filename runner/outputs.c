/* Where results go: what each type of output needs, and what two must not share. */
#include "reader.h"

#include <string.h>

static const FvKey *type_key(void) { return &fv_config_sections[FV_SECTION_OUTPUT].keys[0]; }

/* {camera} is the only placeholder; anything else in braces is a slip. */
static void check_placeholders(FvReader *reader, const FvPipelineValue *value, const char *key) {
  const FvYamlNode *node = value->node;
  if (node == NULL || node->kind != FV_YAML_SCALAR || node->broken) return;
  for (const char *at = node->text; (at = strchr(at, '{')) != NULL; at++) {
    if (g_str_has_prefix(at, "{camera}")) continue;
    size_t length = strcspn(at, "}");
    fv_problems_add(reader->problems, node->place, "'%.*s' in %s: {camera} is the only placeholder", (int)MIN(length + 1, 40), at, key);
    return;
  }
}

/* An output called by its type needs no type. False after telling what is wrong. */
static bool find_kind(FvReader *reader, const FvYamlNode *node, FvOutputConfig *output) {
  const FvYamlNode *type = node->kind == FV_YAML_MAPPING ? fv_yaml_find(node, "type") : NULL;
  if (type == NULL && !fv_in_list(node->key, type_key()->choices)) {
    fv_problems_add(reader->problems, node->key_place,
                    "output '%s' needs the key 'type': file, stdout, video, display, mqtt, http, kafka, clips or uplink", node->key);
    return false;
  }
  const FvYamlNode word = {.kind = FV_YAML_SCALAR, .place = node->key_place, .text = node->key};
  FvPipelineValue value = {NULL};
  fv_read_value(reader, type_key(), type != NULL ? type : &word, &value);
  output->kind = (FvOutputType)value.number;
  return value.node->text != NULL && fv_in_list(value.node->text, type_key()->choices);
}

static void need(FvReader *reader, const FvOutputConfig *output, const FvPipelineValue *value, const char *key, unsigned kinds) {
  if ((kinds & 1u << output->kind) == 0 || value->node != NULL) return;
  fv_problems_add(reader->problems, output->place, "output '%s' needs the key '%s'", output->name, key);
}

static void check_scheme(FvReader *reader, const FvOutputConfig *output) {
  static const char *const mqtt[] = {"mqtt://", "mqtts://", NULL}, *const http[] = {"http://", "https://", NULL};
  const char *const *schemes = output->kind == FV_OUTPUT_MQTT ? mqtt : output->kind == FV_OUTPUT_HTTP ? http : NULL;
  const FvPipelineValue *address = &output->address;
  if (schemes == NULL || address->node == NULL || address->node->broken || *address->text == '\0') return;
  for (int i = 0; schemes[i] != NULL; i++)
    if (g_ascii_strncasecmp(address->text, schemes[i], strlen(schemes[i])) == 0) return;
  fv_problems_add(reader->problems, address->node->place, "address must begin with %s or %s", schemes[0], schemes[1]);
}

static void check_order(FvReader *reader, const FvRetryConfig *retry) {
  if (retry->min.node != NULL && retry->max.node != NULL && retry->min.number > retry->max.number)
    fv_problems_add(reader->problems, retry->max.node->place, "max must not be below min");
}

/* Nothing but a reference keeps a token out of the element's properties. */
static void check_token(FvReader *reader, const FvPipelineValue *token) {
  if (token->node == NULL || token->node->broken || token->reference != NULL || token->node->kind != FV_YAML_SCALAR) return;
  fv_problems_add(reader->problems, token->node->place, "token must be {file: PATH}, {env: NAME} or a variable");
}

void fv_read_output(FvReader *reader, const FvYamlNode *node) {
  FvOutputConfig *output = g_new0(FvOutputConfig, 1);
  output->name = node->key;
  output->place = node->key_place;
  g_ptr_array_add(reader->config->outputs, output);
  if (!find_kind(reader, node, output)) return;
  reader->kinds = 1u << output->kind;
  bool read = fv_read_section(reader, &fv_config_sections[FV_SECTION_OUTPUT], node, output);
  reader->kinds = 0;
  if (!read) return;
  need(reader, output, &output->path, "path", 1u << FV_OUTPUT_FILE | 1u << FV_OUTPUT_VIDEO | 1u << FV_OUTPUT_CLIPS);
  need(reader, output, &output->address, "address", 1u << FV_OUTPUT_MQTT | 1u << FV_OUTPUT_HTTP | 1u << FV_OUTPUT_KAFKA);
  need(reader, output, &output->sink, "sink", 1u << FV_OUTPUT_UPLINK);
  check_placeholders(reader, &output->path, "path");
  check_placeholders(reader, &output->spool.path, "path");
  check_scheme(reader, output);
  check_order(reader, &output->retry);
  check_token(reader, &output->token);
  if (output->kind == FV_OUTPUT_UPLINK) need(reader, output, &output->spool.path, "spool", 1u << FV_OUTPUT_UPLINK);
}

/* --- Together ---------------------------------------------------------------------------------------------------- */

/* The second camera that uses output, and the first; false when there are fewer. */
static bool find_two_cameras(const FvConfig *config, const FvOutputConfig *output, const FvCameraConfig *found[2]) {
  int count = 0;
  for (guint i = 0; i < config->cameras->len && count < 2; i++) {
    const FvCameraConfig *camera = g_ptr_array_index(config->cameras, i);
    if (fv_config_camera_uses(camera, output)) found[count++] = camera;
  }
  return count == 2;
}

/* Each camera has a writer and a connection of its own: two of one name would destroy a file, or throw each other out. */
static void check_between_cameras(FvReader *reader, const FvOutputConfig *output) {
  const struct { const FvPipelineValue *value; const char *key; bool file; } unshared[] = {
    {&output->path, "path", true}, {&output->client_id, "client-id", false}, {&output->availability_topic, "availability-topic", false}};
  const FvCameraConfig *two[2];
  if (!find_two_cameras(reader->config, output, two)) return;
  for (guint i = 0; i < G_N_ELEMENTS(unshared); i++) {
    const FvYamlNode *node = unshared[i].value->node;
    if (node == NULL || node->broken || node->kind != FV_YAML_SCALAR || strstr(node->text, "{camera}") != NULL) continue;
    fv_problems_add(reader->problems, node->place, "cameras %s and %s would %s %s: put {camera} into %s", two[0]->name, two[1]->name,
                    unshared[i].file ? "write the same" : "use the same", unshared[i].file ? "file" : unshared[i].key, unshared[i].key);
  }
}

static bool same_text(const FvPipelineValue *a, const FvPipelineValue *b) {
  return a->node != NULL && b->node != NULL && !a->node->broken && a->node->kind == FV_YAML_SCALAR && b->node->kind == FV_YAML_SCALAR &&
         g_str_equal(a->text, b->text);
}

static void check_between_outputs(FvReader *reader, const FvOutputConfig *output, const FvOutputConfig *other) {
  if (same_text(&output->path, &other->path))
    fv_problems_add(reader->problems, output->path.node->place, "outputs %s and %s would write the same file", other->name, output->name);
  if (same_text(&output->spool.path, &other->spool.path))
    fv_problems_add(reader->problems, output->spool.path.node->place, "outputs %s and %s would use the same spool", other->name, output->name);
}

void fv_check_shared_outputs(FvReader *reader) {
  const GPtrArray *outputs = reader->config->outputs;
  for (guint i = 0; i < outputs->len; i++) {
    check_between_cameras(reader, g_ptr_array_index(outputs, i));
    for (guint j = 0; j < i; j++) check_between_outputs(reader, g_ptr_array_index(outputs, i), g_ptr_array_index(outputs, j));
  }
}

/* --- For those who read a configuration -------------------------------------------------------------------------- */

const char *fv_output_type_name(FvOutputType type) { return type_key()->choices[type]; }

FvOutputFeed fv_config_feed(const FvOutputConfig *output) {
  switch (output->kind) {
  case FV_OUTPUT_VIDEO:
  case FV_OUTPUT_DISPLAY: return FV_FEED_PICTURE;
  case FV_OUTPUT_CLIPS:
  case FV_OUTPUT_UPLINK: return FV_FEED_ENCODED;
  default: return FV_FEED_RECORDS;
  }
}

bool fv_config_camera_uses(const FvCameraConfig *camera, const FvOutputConfig *output) {
  if (camera->outputs_node == NULL) return true;
  for (const FvYamlNode *name = camera->outputs_node->first; name != NULL; name = name->next)
    if (name->kind == FV_YAML_SCALAR && g_str_equal(name->text, output->name)) return true;
  return false;
}

char *fv_config_expand(const char *text, const FvCameraConfig *camera) {
  GString *expanded = g_string_new(text);
  g_string_replace(expanded, "{camera}", camera->name, 0);
  return g_string_free(expanded, FALSE);
}

/* The name is added always, not only where several cameras share the output: a camera that comes later must not move the backlog of the first. */
char *fv_config_spool_folder(const FvCameraConfig *camera, const FvOutputConfig *output) {
  const char *path = output->spool.path.node != NULL ? output->spool.path.text : NULL;
  if (path == NULL) return NULL;
  return strstr(path, "{camera}") != NULL ? fv_config_expand(path, camera) : g_build_filename(path, camera->name, NULL);
}
