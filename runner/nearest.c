#include "nearest.h"

#include <string.h>

#include <glib.h>

#define MAX_WORD 64 /* bytes; longer words get no suggestion */

/* Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost 1 each. */
static int edit_distance(const char *a, const char *b) {
  int rows[3][MAX_WORD + 1];
  int width = (int)strlen(b), height = (int)strlen(a);
  int *before = rows[0], *last = rows[1], *now = rows[2];
  for (int j = 0; j <= width; j++) last[j] = j;
  for (int i = 1; i <= height; i++) {
    now[0] = i;
    for (int j = 1; j <= width; j++) {
      int best = last[j - 1] + (g_ascii_tolower(a[i - 1]) != g_ascii_tolower(b[j - 1]));
      best = MIN(best, MIN(last[j], now[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) best = MIN(best, before[j - 2] + 1);
      now[j] = best;
    }
    int *spare = before;
    before = last;
    last = now;
    now = spare;
  }
  return last[width];
}

const char *fv_nearest(const char *word, const char *const *candidates) {
  size_t length = strlen(word);
  if (length == 0 || length > MAX_WORD) return NULL;
  const char *nearest = NULL;
  int limit = (int)MAX(1, length / 3), best = limit + 1;
  for (; *candidates != NULL; candidates++) {
    if (strlen(*candidates) > MAX_WORD) continue;
    int distance = edit_distance(word, *candidates);
    if (distance < best) {
      best = distance;
      nearest = *candidates;
    }
  }
  return nearest;
}

const char *fv_did_you_mean(const char *word, const char *const *candidates) {
  const char *nearest = fv_nearest(word, candidates);
  if (nearest == NULL) return "";
  char *text = g_strdup_printf(" (did you mean '%s'?)", nearest);
  const char *kept = g_intern_string(text); /* candidates are our own words: a small, closed set */
  g_free(text);
  return kept;
}
