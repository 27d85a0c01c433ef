#include "quantity.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include <glib.h>

typedef struct Unit {
  const char *word;
  double factor;
} Unit;

/* The largest comes last: formatting takes the last that divides. */
static const Unit durations[] = {{"ms", 1}, {"s", 1e3}, {"min", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
static const Unit sizes[] = {{"B", 1}, {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0}};
static const Unit more_sizes[] = {{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"K", 1024.0}, {"k", 1024.0}, {"M", 1048576.0}, {"G", 1073741824.0},
                                  {"T", 1099511627776.0}};

/* A number from 0 on; what follows it begins at *rest, spaces between them left out. */
static bool parse_number(const char *text, double *number, const char **rest) {
  char *end = NULL;
  if (!g_ascii_isdigit(text[0])) return false; /* no sign, no "inf", no hexadecimal */
  size_t digits = strspn(text, "0123456789.");
  char *plain = g_strndup(text, digits);
  errno = 0;
  *number = g_ascii_strtod(plain, &end);
  bool ok = errno == 0 && *end == '\0' && isfinite(*number);
  g_free(plain);
  *rest = text + digits;
  while (**rest == ' ') (*rest)++;
  return ok;
}

static const Unit *find_unit(const Unit *units, guint count, const char *word) {
  for (guint i = 0; i < count; i++)
    if (g_str_equal(units[i].word, word)) return &units[i];
  return NULL;
}

bool fv_parse_duration(const char *text, const char *plain, double *ret_ms) {
  const char *word;
  if (!parse_number(text, ret_ms, &word)) return false;
  if (*word == '\0' && plain == NULL) return *ret_ms == 0;
  const Unit *unit = find_unit(durations, G_N_ELEMENTS(durations), *word != '\0' ? word : plain);
  if (unit == NULL) return false;
  *ret_ms *= unit->factor;
  return true;
}

bool fv_parse_bytes(const char *text, double *ret_bytes) {
  const char *word;
  if (!parse_number(text, ret_bytes, &word)) return false;
  if (*word == '\0') return true;
  const Unit *unit = find_unit(sizes, G_N_ELEMENTS(sizes), word);
  if (unit == NULL) unit = find_unit(more_sizes, G_N_ELEMENTS(more_sizes), word);
  if (unit == NULL) return false;
  *ret_bytes *= unit->factor;
  return true;
}

bool fv_parse_rate(const char *text, double *ret_bytes_per_s) {
  size_t length = strlen(text);
  char *bytes = g_strndup(text, g_str_has_suffix(text, "/s") ? length - 2 : length);
  bool ok = fv_parse_bytes(bytes, ret_bytes_per_s);
  g_free(bytes);
  return ok;
}

static char *format(double value, const Unit *units, guint count) {
  const Unit *unit = &units[0];
  for (guint i = 1; i < count && value > 0; i++)
    if (fmod(value, units[i].factor) == 0) unit = &units[i];
  return value == 0 ? g_strdup("0") : g_strdup_printf("%.15g%s", value / unit->factor, unit->word);
}

char *fv_format_duration(double ms) { return format(ms, durations, G_N_ELEMENTS(durations)); }
char *fv_format_bytes(double bytes) { return format(bytes, sizes, G_N_ELEMENTS(sizes)); }
