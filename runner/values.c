/* Single values and sections of keys, from tree nodes. */
#include "reader.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "nearest.h"
#include "quantity.h"

/* What may be repeated of a value in a message. */
const char *fv_shown(const FvYamlNode *node) { return node->replaced || strlen(node->text) > 64 ? "…" : node->text; }

bool fv_in_list(const char *word, const char *const *list) { return list != NULL && g_strv_contains(list, word); }

bool fv_expect_kind(FvReader *reader, const FvYamlNode *node, FvYamlKind kind, const char *what) {
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

static void read_number(FvReader *reader, const FvKey *key, FvPipelineValue *value) {
  const FvYamlNode *node = value->node;
  bool integer = key->type == FV_KEY_INTEGER;
  bool plain = !node->quoted || node->replaced; /* a variable in {…} must be quoted */
  if (plain && parse_number(node->text, integer, &value->number) && value->number >= key->min &&
      value->number <= key->max)
    return;
  if (key->min == key->max)
    fv_problems_add(reader->problems, node->place, "%s must be %g, not '%s'", key->name, key->min, fv_shown(node));
  else
    fv_problems_add(reader->problems, node->place, "%s must be a%s number from %g to %g, not '%s'", key->name,
                    integer ? " whole" : "", key->min, key->max, fv_shown(node));
}

/* Durations, bytes and rates: parsed and printed in quantity.h. */
static void read_quantity(FvReader *reader, const FvKey *key, FvPipelineValue *value) {
  bool duration = key->type == FV_KEY_DURATION;
  bool ok = duration                      ? fv_parse_duration(value->text, key->plain_unit, &value->number)
            : key->type == FV_KEY_RATE ? fv_parse_rate(value->text, &value->number)
                                       : fv_parse_bytes(value->text, &value->number);
  if (ok && value->number >= key->min && value->number <= key->max) return;
  value->number = NAN; /* takes part in no comparison */
  char *min = duration ? fv_format_duration(key->min) : fv_format_bytes(key->min), *max = duration ? fv_format_duration(key->max) : fv_format_bytes(key->max);
  fv_problems_add(reader->problems, value->node->place, "%s must be %s from %s to %s, not '%s'", key->name,
                  duration                   ? "a time with its unit (ms, s, min, h, d)"
                  : key->type == FV_KEY_RATE ? "bytes a second (as 256KiB/s)"
                                             : "bytes (as 512MiB)",
                  min, max, fv_shown(value->node));
  g_free(min);
  g_free(max);
}

static void read_switch(FvReader *reader, const FvKey *key, FvPipelineValue *value) {
  static const char *const yes[] = {"true", "yes", "on", NULL}, *const no[] = {"false", "no", "off", NULL};
  value->number = fv_in_list(value->text, yes);
  if (!value->number && !fv_in_list(value->text, no))
    fv_problems_add(reader->problems, value->node->place, "%s must be true or false, not '%s'", key->name, fv_shown(value->node));
}

static void read_choice(FvReader *reader, const FvKey *key, FvPipelineValue *value) {
  for (int i = 0; key->choices[i] != NULL; i++) {
    if (!g_str_equal(key->choices[i], value->text)) continue;
    value->number = i;
    return;
  }
  char *list = g_strjoinv(", ", (char **)key->choices);
  fv_problems_add(reader->problems, value->node->place, "%s must be one of %s, not '%s'%s", key->name, list,
                  fv_shown(value->node), fv_did_you_mean(value->text, key->choices));
  g_free(list);
}

static void refer(FvReader *reader, FvPipelineValue *value, const char *source, const char *name) {
  char *reference = g_strconcat(source, ":", name, NULL);
  value->reference = g_string_chunk_insert(reader->config->strings, reference);
  g_free(reference);
}

/* {file: PATH}: the text is the file's, without its last line break. */
static bool read_secret_file(FvReader *reader, const FvYamlNode *file, FvPipelineValue *value) {
  if (file->broken || reader->sources->read == NULL) return false;
  gsize length = 0;
  char *error = NULL, *text = reader->sources->read(file->text, FV_MAX_SECRET_BYTES, &length, &error);
  bool ok = text != NULL && strlen(text) == length && g_utf8_validate(text, (gssize)length, NULL);
  if (ok) {
    if (length > 0 && text[length - 1] == '\n') text[--length] = '\0';
    if (length > 0 && text[length - 1] == '\r') text[--length] = '\0';
    value->text = g_string_chunk_insert(reader->config->strings, text);
    value->secret = true;
    refer(reader, value, "file", file->text);
  } else {
    fv_problems_add(reader->problems, file->place, "%s", error != NULL ? error : "the secret file is not text");
  }
  g_free(error);
  g_free(text);
  return ok;
}

static bool read_secret_variable(FvReader *reader, const FvYamlNode *name, FvPipelineValue *value) {
  const char *text = name->broken || reader->sources->env == NULL ? NULL : reader->sources->env(name->text, reader->sources->user);
  if (text == NULL || !g_utf8_validate(text, -1, NULL)) {
    if (!name->broken) fv_problems_add(reader->problems, name->place, "variable %.64s is %s", name->text, text == NULL ? "not set" : "not valid UTF-8");
    return false;
  }
  value->text = g_string_chunk_insert(reader->config->strings, text);
  value->secret = true;
  refer(reader, value, "env", name->text);
  return true;
}

static bool read_secret(FvReader *reader, const FvYamlNode *node, FvPipelineValue *value) {
  const FvYamlNode *file = fv_yaml_find(node, "file"), *name = fv_yaml_find(node, "env"), *one = file != NULL ? file : name;
  if (one == NULL || node->count != 1 || one->kind != FV_YAML_SCALAR) {
    fv_problems_add(reader->problems, node->place, "%s must be a text, {file: PATH} or {env: NAME}", node->key);
    return false;
  }
  return file != NULL ? read_secret_file(reader, file, value) : read_secret_variable(reader, name, value);
}

static void read_texts(FvReader *reader, const FvKey *key, const FvYamlNode *node, FvPipelineValue *value) {
  GString *joined = g_string_new(node->kind == FV_YAML_SCALAR ? node->text : NULL);
  if (node->kind == FV_YAML_MAPPING) fv_expect_kind(reader, node, FV_YAML_SEQUENCE, key->name);
  for (const FvYamlNode *child = node->first; node->kind == FV_YAML_SEQUENCE && child != NULL; child = child->next)
    if (fv_expect_kind(reader, child, FV_YAML_SCALAR, key->name)) g_string_append_printf(joined, "%s%s", joined->len > 0 ? "," : "", child->text);
  value->text = g_string_chunk_insert(reader->config->strings, joined->str);
  g_string_free(joined, TRUE);
}

void fv_read_value(FvReader *reader, const FvKey *key, const FvYamlNode *node, FvPipelineValue *value) {
  value->node = node;
  value->text = node->text != NULL ? node->text : "";
  if (key->type == FV_KEY_SECRET && node->kind == FV_YAML_MAPPING) {
    if (!read_secret(reader, node, value)) value->text = "";
    return;
  }
  if (key->type == FV_KEY_TEXTS) {
    read_texts(reader, key, node, value);
    return;
  }
  if (!fv_expect_kind(reader, node, FV_YAML_SCALAR, key->name) || node->broken) return;
  switch (key->type) {
  case FV_KEY_INTEGER:
  case FV_KEY_NUMBER: read_number(reader, key, value); break;
  case FV_KEY_DURATION:
  case FV_KEY_BYTES:
  case FV_KEY_RATE: read_quantity(reader, key, value); break;
  case FV_KEY_SWITCH: read_switch(reader, key, value); break;
  case FV_KEY_CHOICE: read_choice(reader, key, value); break;
  default:
    if (*node->text == '\0') fv_problems_add(reader->problems, node->place, "%s must not be empty", key->name);
    if (key->type == FV_KEY_SECRET && node->variable != NULL) refer(reader, value, "env", node->variable);
  }
}

int fv_pipeline_value_choice(const FvPipelineValue *value, int fallback) { return value->node != NULL ? (int)value->number : fallback; }

/* --- Sections ---------------------------------------------------------------------------------------------------- */

static const FvKey *find_key(const FvSection *section, const char *name) {
  for (int i = 0; i < section->key_count; i++)
    if (g_str_equal(section->keys[i].name, name)) return &section->keys[i];
  return NULL;
}

static bool is_for(const FvKey *key, unsigned kinds) { return key->only == 0 || kinds == 0 || (key->only & kinds) != 0; }

/* "append is for outputs of type file" */
static void report_other_kind(FvReader *reader, const FvKey *key, const FvYamlNode *node) {
  const char *const *types = fv_config_sections[FV_SECTION_OUTPUT].keys[0].choices;
  GString *list = g_string_new(NULL);
  for (int i = 0; types[i] != NULL; i++)
    if (key->only & 1u << i) g_string_append_printf(list, "%s%s", list->len > 0 ? ", " : "", types[i]);
  fv_problems_add(reader->problems, node->key_place, "%s is for outputs of type %s", key->name, list->str);
  g_string_free(list, TRUE);
}

/* A section in a section; a single value is its first key where it has a short form. */
static void read_inner(FvReader *reader, const FvKey *key, const FvYamlNode *node, void *target) {
  const FvSection *section = key->section;
  *(const FvYamlNode **)target = node;
  if (section->short_form && node->kind == FV_YAML_SCALAR)
    fv_read_value(reader, &section->keys[0], node, (FvPipelineValue *)((char *)target + section->keys[0].offset));
  else
    fv_read_section(reader, section, node, target);
}

static void report_unknown(FvReader *reader, const FvSection *section, const FvYamlNode *node) {
  if (fv_in_list(node->key, section->later)) {
    fv_problems_add(reader->problems, node->key_place, "%s is not available in this version", node->key);
    return;
  }
  const char *names[64] = {NULL};
  int count = 0;
  for (int i = 0; i < section->key_count; i++)
    if (is_for(&section->keys[i], reader->kinds)) names[count++] = section->keys[i].name;
  char *list = g_strjoinv(", ", (char **)names);
  const char *hint = fv_did_you_mean(node->key, names);
  if (*hint != '\0')
    fv_problems_add(reader->problems, node->key_place, "unknown key '%.64s'%s", node->key, hint);
  else
    fv_problems_add(reader->problems, node->key_place, "unknown key '%.64s': here may stand %s", node->key, list);
  g_free(list);
}

/* Reads the simple values of a mapping into target and reports strange and missing keys. */
bool fv_read_section(FvReader *reader, const FvSection *section, const FvYamlNode *node, void *target) {
  if (!fv_expect_kind(reader, node, FV_YAML_MAPPING, node->key != NULL ? node->key : "the file")) return false;
  for (const FvYamlNode *child = node->first; child != NULL; child = child->next) {
    const FvKey *key = find_key(section, child->key);
    if (key == NULL)
      report_unknown(reader, section, child);
    else if (!is_for(key, reader->kinds))
      report_other_kind(reader, key, child);
    else if (key->type == FV_KEY_SECTION)
      read_inner(reader, key, child, (char *)target + key->offset);
    else if (key->type != FV_KEY_BLOCK)
      fv_read_value(reader, key, child, (FvPipelineValue *)((char *)target + key->offset));
  }
  bool named = node->key != NULL && !g_str_equal(node->key, section->name); /* "camera gate", but "detect" */
  for (int i = 0; i < section->key_count; i++)
    if (section->keys[i].required && fv_yaml_find(node, section->keys[i].name) == NULL)
      fv_problems_add(reader->problems, node->key != NULL ? node->key_place : node->place, "%s%s%s needs the key '%s'",
                      section == &fv_config_sections[FV_SECTION_DOCUMENT] ? "the file" : section->name, named ? " " : "", named ? node->key : "", section->keys[i].name);
  return true;
}

void *fv_find_named(FvReader *reader, GPtrArray *entries, const FvYamlNode *node, const char *what) {
  const char **names = g_new0(const char *, entries->len + 1);
  void *found = NULL;
  for (guint i = 0; i < entries->len; i++) {
    void *entry = g_ptr_array_index(entries, i);
    names[i] = *(const char **)entry;
    if (g_str_equal(names[i], node->text)) found = entry;
  }
  if (found == NULL && !node->broken)
    fv_problems_add(reader->problems, node->place, "there is no %s '%s'%s", what, fv_shown(node), fv_did_you_mean(node->text, names));
  g_free(names);
  return found;
}
