/* Writing JSON: values in order, commas and indentation by itself. Numbers do not depend on the locale. */
#ifndef FOVEA_TOOLS_JSON_H
#define FOVEA_TOOLS_JSON_H

#include <glib.h>

typedef struct FvJson {
  GString *text;
  int depth;
  gboolean first; /* nothing written yet at this depth */
} FvJson;

void fv_json_init(FvJson *json);
/* Prints the text with a newline on stdout and frees it. */
void fv_json_print(FvJson *json);
/* Ends without printing and returns the text, NULL when it was taken already; g_free() it. */
char *fv_json_take(FvJson *json);

/* key is NULL inside arrays and at the top. */
void fv_json_open(FvJson *json, const char *key, char bracket); /* '{' or '[' */
void fv_json_close(FvJson *json, char bracket);                 /* '}' or ']' */
void fv_json_string(FvJson *json, const char *key, const char *value); /* NULL gives null */
void fv_json_int(FvJson *json, const char *key, gint64 value);
/* `decimals` digits behind the point, without zeros at the end; null when not finite. */
void fv_json_number(FvJson *json, const char *key, double value, int decimals);
/* An array on one line. */
void fv_json_numbers(FvJson *json, const char *key, const double *values, int count, int decimals);
void fv_json_bool(FvJson *json, const char *key, gboolean value);
void fv_json_ints(FvJson *json, const char *key, const gint64 *values, int count);

#endif
