#include "json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h" /* the literals */

void fv_json_init(FvJson *json) { *json = (FvJson){.text = g_string_new(NULL), .first = TRUE}; }

char *fv_json_take(FvJson *json) {
  char *text = json->text ? g_string_free(json->text, FALSE) : NULL;
  json->text = NULL;
  return text;
}

void fv_json_print(FvJson *json) {
  char *text = fv_json_take(json);
  puts(text);
  g_free(text);
}

static void new_line(FvJson *json) {
  if (json->depth == 0) return;
  g_string_append_printf(json->text, "\n%*s", 2 * json->depth, "");
}

static void begin_value(FvJson *json, const char *key) {
  if (!json->first) g_string_append_c(json->text, ',');
  json->first = FALSE;
  new_line(json);
  if (!key) return;
  fovea_json_append_string(json->text, key);
  g_string_append(json->text, ": ");
}

void fv_json_open(FvJson *json, const char *key, char bracket) {
  begin_value(json, key);
  g_string_append_c(json->text, bracket);
  json->depth++;
  json->first = TRUE;
}

void fv_json_close(FvJson *json, char bracket) {
  gboolean empty = json->first;
  json->depth--;
  if (!empty) {
    if (json->depth == 0) g_string_append_c(json->text, '\n');
    new_line(json);
  }
  g_string_append_c(json->text, bracket);
  json->first = FALSE;
}

void fv_json_string(FvJson *json, const char *key, const char *value) {
  begin_value(json, key);
  if (value)
    fovea_json_append_string(json->text, value);
  else
    g_string_append(json->text, "null");
}

void fv_json_int(FvJson *json, const char *key, gint64 value) {
  begin_value(json, key);
  g_string_append_printf(json->text, "%" G_GINT64_FORMAT, value);
}

static void append_number(GString *text, double value, int decimals) {
  char number[G_ASCII_DTOSTR_BUF_SIZE + 320], format[8]; /* %f writes up to 309 digits before the point */
  if (!isfinite(value)) {
    g_string_append(text, "null");
    return;
  }
  g_snprintf(format, sizeof format, "%%.%df", CLAMP(decimals, 0, 17));
  g_ascii_formatd(number, sizeof number, format, value);
  size_t length = strlen(number);
  while (strchr(number, '.') && strchr("0.", number[length - 1])) number[--length] = '\0';
  g_string_append(text, number);
}

void fv_json_number(FvJson *json, const char *key, double value, int decimals) {
  begin_value(json, key);
  append_number(json->text, value, decimals);
}

void fv_json_numbers(FvJson *json, const char *key, const double *values, int count, int decimals) {
  begin_value(json, key);
  g_string_append_c(json->text, '[');
  for (int i = 0; i < count; i++) {
    if (i) g_string_append(json->text, ", ");
    append_number(json->text, values[i], decimals);
  }
  g_string_append_c(json->text, ']');
}

void fv_json_bool(FvJson *json, const char *key, gboolean value) {
  begin_value(json, key);
  g_string_append(json->text, value ? "true" : "false");
}

void fv_json_ints(FvJson *json, const char *key, const gint64 *values, int count) {
  begin_value(json, key);
  g_string_append_c(json->text, '[');
  for (int i = 0; i < count; i++) g_string_append_printf(json->text, i ? ", %" G_GINT64_FORMAT : "%" G_GINT64_FORMAT, values[i]);
  g_string_append_c(json->text, ']');
}
