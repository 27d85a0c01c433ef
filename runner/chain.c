#include "chain.h"

#include <string.h>

#include "common/secret.h"

static void property_free(gpointer data) {
  FvProperty *property = data;
  g_free(property->name);
  g_free(property->value);
  g_free(property);
}

static void step_free(gpointer data) {
  FvStep *step = data;
  g_free(step->factory);
  g_free(step->name);
  g_ptr_array_unref(step->properties);
  g_clear_pointer(&step->branches, g_ptr_array_unref);
  g_free(step);
}

GPtrArray *fv_chain_new(void) { return g_ptr_array_new_with_free_func(step_free); }

FvStep *fv_chain_add(GPtrArray *chain, const char *factory, const char *name, FvPlace place) {
  FvStep *step = g_new0(FvStep, 1);
  step->factory = g_strdup(factory);
  step->name = g_strdup(name);
  step->place = place;
  step->properties = g_ptr_array_new_with_free_func(property_free);
  g_ptr_array_add(chain, step);
  return step;
}

void fv_step_set(FvStep *step, const char *name, const char *value, FvPlace place) {
  FvProperty *property = g_new0(FvProperty, 1);
  property->name = g_strdup(name);
  property->value = g_strdup(value);
  property->place = place;
  g_ptr_array_add(step->properties, property);
}

void fv_step_printf(FvStep *step, const char *name, FvPlace place, const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *value = g_strdup_vprintf(format, args);
  va_end(args);
  fv_step_set(step, name, value, place);
  g_free(value);
}

GPtrArray *fv_step_branch(FvStep *tee) {
  if (tee->branches == NULL) tee->branches = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
  GPtrArray *branch = fv_chain_new();
  g_ptr_array_add(tee->branches, branch);
  return branch;
}

void fv_chain_flatten(GPtrArray *chain, GPtrArray *steps) {
  for (guint i = 0; i < chain->len; i++) {
    FvStep *step = g_ptr_array_index(chain, i);
    if (step->branches == NULL) g_ptr_array_add(steps, step);
    for (guint j = 0; step->branches != NULL && j < step->branches->len; j++) fv_chain_flatten(g_ptr_array_index(step->branches, j), steps);
  }
}

/* gst_parse_launch takes a backslash before a quote or a backslash inside double quotes; a shell gets single quotes around
 * that where the text needs them. */
static void append_value(GString *text, const FvProperty *property) {
  char *shown = property->secret ? g_strdup("***") : fovea_secret_mask_uri(property->value);
  const char *plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:+-,=@%*";
  if (*shown != '\0' && strspn(shown, plain) == strlen(shown)) {
    g_string_append(text, shown);
  } else {
    GString *quoted = g_string_new("\"");
    for (const char *at = shown; *at != '\0'; at++) {
      if (*at == '"' || *at == '\\') g_string_append_c(quoted, '\\');
      g_string_append_c(quoted, *at);
    }
    g_string_append_c(quoted, '"');
    char *shell = g_shell_quote(quoted->str);
    g_string_append(text, shell);
    g_free(shell);
    g_string_free(quoted, TRUE);
  }
  g_free(shown);
}

static void append_chain(GString *text, GPtrArray *chain, guint *tees);

static void append_step(GString *text, const FvStep *step, guint *tees) {
  if (step->branches == NULL) {
    g_string_append(text, step->factory);
    if (step->name != NULL) g_string_append_printf(text, " name=%s", step->name);
    for (guint i = 0; i < step->properties->len; i++) {
      const FvProperty *property = g_ptr_array_index(step->properties, i);
      g_string_append_printf(text, " %s=", property->name);
      append_value(text, property);
    }
    return;
  }
  guint number = (*tees)++;
  g_string_append_printf(text, "tee name=t%u", number);
  for (guint i = 0; i < step->branches->len; i++) {
    g_string_append_printf(text, " t%u. ! queue ! ", number);
    append_chain(text, g_ptr_array_index(step->branches, i), tees);
  }
}

static void append_chain(GString *text, GPtrArray *chain, guint *tees) {
  for (guint i = 0; i < chain->len; i++) {
    if (i > 0) g_string_append(text, " ! ");
    append_step(text, g_ptr_array_index(chain, i), tees);
  }
}

char *fv_chain_text(GPtrArray *chain) {
  GString *text = g_string_new(NULL);
  guint tees = 0;
  append_chain(text, chain, &tees);
  return g_string_free(text, FALSE);
}
