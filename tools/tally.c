#include "tally.h"

#include <string.h>

typedef struct Count {
  const char *label;
  guint64 objects, frames, last_frame;
  double scores; /* their sum */
} Count;

void fv_tally_init(FvTally *tally) { *tally = (FvTally){.classes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free)}; }

void fv_tally_finish(FvTally *tally) { g_clear_pointer(&tally->classes, g_hash_table_unref); }

void fv_tally_begin_frame(FvTally *tally) { tally->frames++; }

void fv_tally_add(FvTally *tally, const char *label, double score) {
  Count *count = g_hash_table_lookup(tally->classes, label);
  if (count == NULL) {
    count = g_new0(Count, 1);
    count->label = label;
    g_hash_table_insert(tally->classes, (gpointer)label, count);
  }
  count->objects++;
  count->scores += score;
  tally->objects++;
  if (count->last_frame == tally->frames) return;
  count->last_frame = tally->frames;
  count->frames++;
}

static int most_frequent_first(gconstpointer a, gconstpointer b) {
  const Count *x = a, *y = b;
  if (x->objects != y->objects) return x->objects < y->objects ? 1 : -1;
  return strcmp(x->label, y->label);
}

void fv_tally_print(const FvTally *tally, FILE *to) {
  GList *counts = g_list_sort(g_hash_table_get_values(tally->classes), most_frequent_first);
  if (counts != NULL) fprintf(to, "  %-20s %8s %8s  %s\n", "class", "frames", "objects", "mean score");
  for (GList *item = counts; item != NULL; item = item->next) {
    const Count *count = item->data;
    fprintf(to, "  %-20s %8" G_GUINT64_FORMAT " %8" G_GUINT64_FORMAT "  %8.1f %%\n", count->label, count->frames, count->objects,
            100.0 * count->scores / (double)count->objects);
  }
  g_list_free(counts);
}
