/* The raw form: GStreamer elements in a row, as a chain. */
#include "reader.h"

#include <string.h>

#include "chain.h"

static const char *step_text(FvReader *reader, const FvYamlNode *node, const char *key) {
  const FvYamlNode *child = fv_yaml_find(node, key);
  if (child == NULL || !fv_expect_kind(reader, child, FV_YAML_SCALAR, key) || child->broken) return NULL;
  if (*child->text == '\0') fv_problems_add(reader->problems, child->place, "%s must not be empty", key);
  return *child->text != '\0' ? child->text : NULL;
}

/* Words under which GStreamer's elements and ours take what must not be shown. */
static bool names_secret(const char *property) {
  static const char *const words[] = {"password", "user-pw", "passphrase", "token", "secret", NULL};
  const char *last = strstr(property, "::");
  property = last != NULL ? last + 2 : property;
  for (int i = 0; words[i] != NULL; i++)
    if (g_str_has_suffix(property, words[i])) return true;
  return false;
}

static void read_properties(FvReader *reader, const FvYamlNode *node, FvStep *step) {
  static const FvKey any = {"the value of a property", FV_KEY_SECRET};
  if (!fv_expect_kind(reader, node, FV_YAML_MAPPING, "properties")) return;
  for (const FvYamlNode *child = node->first; child != NULL; child = child->next) {
    FvPipelineValue value = {child, child->text};
    if (child->kind != FV_YAML_SCALAR) fv_read_value(reader, &any, child, &value);
    if (value.text == NULL) continue;
    fv_step_set(step, child->key, value.text, child->key_place);
    FvProperty *property = g_ptr_array_index(step->properties, step->properties->len - 1);
    property->secret = value.secret || names_secret(child->key);
  }
}

static void read_tee(FvReader *reader, const FvYamlNode *node, GPtrArray *chain) {
  if (!fv_expect_kind(reader, node, FV_YAML_MAPPING, "tee")) return;
  FvStep *tee = fv_chain_add(chain, NULL, NULL, node->key_place);
  if (node->count == 0) fv_problems_add(reader->problems, node->place, "a tee needs one branch or more");
  for (const FvYamlNode *child = node->first; child != NULL; child = child->next) fv_read_steps(reader, child, fv_step_branch(tee));
}

static void read_step(FvReader *reader, const FvYamlNode *node, GPtrArray *chain) {
  if (!fv_read_section(reader, &fv_config_sections[FV_SECTION_STEP], node, NULL)) return;
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

void fv_read_steps(FvReader *reader, const FvYamlNode *node, GPtrArray *chain) {
  if (!fv_expect_kind(reader, node, FV_YAML_SEQUENCE, node->key)) return;
  if (node->count == 0) fv_problems_add(reader->problems, node->place, "%s has no elements", node->key);
  for (const FvYamlNode *child = node->first; child != NULL; child = child->next) {
    if (++reader->step_count > FV_MAX_STEPS) {
      fv_problems_add(reader->problems, child->place, "more than %d elements", FV_MAX_STEPS);
      return;
    }
    read_step(reader, child, chain);
  }
}
