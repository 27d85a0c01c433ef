/* The measure itself. Rules: cocodataset.org, "Detection Evaluation", and, where that page is silent (ties, crowds, the order of matching), what
 * its published evaluation code does. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "coco_data.h"

#define OVERLAPS 10
#define RECALLS 101
#define MAX_DETECTIONS 100 /* of one category in one picture */

int fv_coco_image_count(const FvCoco *coco) { return (int)coco->images->len; }
gint64 fv_coco_image_id(const FvCoco *coco, int image) { return g_array_index(coco->images, CocoImage, image).id; }
const char *fv_coco_image_file(const FvCoco *coco, int image) { return g_array_index(coco->images, CocoImage, image).file; }
gint64 fv_coco_image_frame(const FvCoco *coco, int image) {
  gint64 frame = g_array_index(coco->images, CocoImage, image).frame;
  return frame >= 0 ? frame : image;
}
int fv_coco_category_count(const FvCoco *coco) { return (int)coco->categories->len; }
gint64 fv_coco_category_id(const FvCoco *coco, int category) { return g_array_index(coco->categories, CocoCategory, category).id; }
const char *fv_coco_category_name(const FvCoco *coco, int category) { return g_array_index(coco->categories, CocoCategory, category).name; }

gboolean fv_coco_add(FvCoco *coco, int image, int category, double score, const double box[4]) {
  if (image < 0 || image >= fv_coco_image_count(coco) || category < 0 || category >= fv_coco_category_count(coco) || !isfinite(score)) return FALSE;
  if (g_array_index(coco->categories, CocoCategory, category).left_out) return FALSE;
  CocoBox detection = {.image = image, .category = category, .order = coco->detections->len, .score = score};
  for (int i = 0; i < 4; i++) {
    if (!isfinite(box[i])) return FALSE;
    detection.box[i] = box[i];
  }
  g_array_append_val(coco->detections, detection);
  return TRUE;
}

void fv_coco_forget(FvCoco *coco) { g_array_set_size(coco->detections, 0); }

void fv_coco_adopt(FvCoco *coco) {
  GArray *objects = coco->detections;
  for (guint i = 0; i < objects->len; i++) {
    CocoBox *box = &g_array_index(objects, CocoBox, i);
    double area = box->box[2] * box->box[3];
    box->ignore = area < 0 || area > COCO_MAX_AREA;
  }
  coco->detections = coco->truths;
  coco->truths = objects;
  fv_coco_forget(coco);
}

void fv_coco_keep(FvCoco *coco, const gboolean *keep) {
  g_autofree int *place = g_new(int, coco->images->len + 1);
  guint images = 0, truths = 0;
  for (guint i = 0; i < coco->images->len; i++) {
    CocoImage *image = &g_array_index(coco->images, CocoImage, i);
    place[i] = keep[i] ? (int)images++ : -1;
    if (!keep[i]) g_clear_pointer(&image->file, g_free);
    else if (place[i] != (int)i) {
      g_array_index(coco->images, CocoImage, place[i]) = *image;
      image->file = NULL;
    }
  }
  g_array_set_size(coco->images, images);
  for (guint i = 0; i < coco->truths->len; i++) {
    CocoBox box = g_array_index(coco->truths, CocoBox, i);
    if (place[box.image] < 0) continue;
    box.image = place[box.image];
    g_array_index(coco->truths, CocoBox, truths++) = box;
  }
  g_array_set_size(coco->truths, truths);
  fv_coco_forget(coco);
}

int fv_coco_find_category(const FvCoco *coco, const char *name) {
  for (int c = 0; c < fv_coco_category_count(coco); c++)
    if (g_ascii_strcasecmp(fv_coco_category_name(coco, c), name) == 0) return c;
  return -1;
}

gboolean fv_coco_rename_category(FvCoco *coco, const char *from, const char *to) {
  int found = fv_coco_find_category(coco, from);
  if (found < 0) return FALSE;
  CocoCategory *category = &g_array_index(coco->categories, CocoCategory, found);
  g_free(category->name);
  category->name = g_strdup(to);
  return TRUE;
}

gboolean fv_coco_keep_categories(FvCoco *coco, const char *const *names, const char **ret_unknown) {
  guint truths = 0;
  for (guint c = 0; c < coco->categories->len; c++) g_array_index(coco->categories, CocoCategory, c).left_out = TRUE;
  for (; *names; names++) {
    int found = fv_coco_find_category(coco, *names);
    if (found < 0) {
      *ret_unknown = *names;
      return FALSE;
    }
    g_array_index(coco->categories, CocoCategory, found).left_out = FALSE;
  }
  for (guint i = 0; i < coco->truths->len; i++) {
    CocoBox box = g_array_index(coco->truths, CocoBox, i);
    if (!g_array_index(coco->categories, CocoCategory, box.category).left_out) g_array_index(coco->truths, CocoBox, truths++) = box;
  }
  g_array_set_size(coco->truths, truths);
  fv_coco_forget(coco);
  return TRUE;
}

/* Overlap over union; in a crowd, over the detection alone. */
static double overlap(const double *detection, const CocoBox *truth) {
  const double *a = detection, *b = truth->box;
  double w = fmin(a[0] + a[2], b[0] + b[2]) - fmax(a[0], b[0]), h = fmin(a[1] + a[3], b[1] + b[3]) - fmax(a[1], b[1]);
  if (w <= 0 || h <= 0) return 0;
  double both = w * h, own = a[2] * a[3];
  return both / (truth->crowd ? own : own + b[2] * b[3] - both);
}

static double overlap_threshold(int step) { return step == OVERLAPS - 1 ? 0.95 : 0.5 + step * ((0.95 - 0.5) / (OVERLAPS - 1)); }
static double recall_threshold(int step) { return step == RECALLS - 1 ? 1.0 : step * 0.01; }

typedef enum Outcome { MISS, HIT, IGNORED } Outcome;

/* One detection of the category under way, from any picture. */
typedef struct Judged {
  double score;
  guint order; /* pictures by id, in each by falling score */
  guint8 outcome[OVERLAPS];
} Judged;

/* The truth that a detection takes: the best overlap; one that counts before any that is ignored; of equals the last. -1: none. */
static int find_match(const double *overlaps, const CocoBox *truths, int count, const gboolean *taken, double threshold) {
  double best = fmin(threshold, 1 - 1e-10);
  int match = -1;
  for (int i = 0; i < count; i++) {
    if (taken[i] && !truths[i].crowd) continue;
    if (match >= 0 && !truths[match].ignore && truths[i].ignore) break; /* the ignored come last */
    if (overlaps[i] < best) continue;
    best = overlaps[i];
    match = i;
  }
  return match;
}

/* One category in one picture: truths with the ignored ones last, detections by falling score. */
static void judge_image(const CocoBox *truths, int truth_count, const CocoBox *detections, int count, GArray *judged) {
  count = MIN(count, MAX_DETECTIONS);
  guint first = judged->len;
  g_array_set_size(judged, first + (guint)count);
  g_autofree double *overlaps = g_new(double, (gsize)count * (gsize)truth_count + 1);
  g_autofree gboolean *taken = g_new(gboolean, (gsize)truth_count + 1);
  for (int d = 0; d < count; d++) {
    Judged *result = &g_array_index(judged, Judged, first + (guint)d);
    *result = (Judged){.score = detections[d].score, .order = first + (guint)d};
    for (int t = 0; t < truth_count; t++) overlaps[(gsize)d * (gsize)truth_count + (gsize)t] = overlap(detections[d].box, &truths[t]);
  }
  for (int step = 0; step < OVERLAPS; step++) {
    memset(taken, 0, sizeof *taken * (gsize)truth_count);
    for (int d = 0; d < count; d++) {
      Judged *result = &g_array_index(judged, Judged, first + (guint)d);
      int match = find_match(&overlaps[(gsize)d * (gsize)truth_count], truths, truth_count, taken, overlap_threshold(step));
      double area = detections[d].box[2] * detections[d].box[3];
      if (match >= 0) taken[match] = TRUE;
      if (match >= 0) result->outcome[step] = truths[match].ignore ? IGNORED : HIT;
      else result->outcome[step] = area < 0 || area > COCO_MAX_AREA ? IGNORED : MISS;
    }
  }
}

static int by_falling_score(gconstpointer a, gconstpointer b) {
  const Judged *x = a, *y = b;
  if (x->score != y->score) return x->score < y->score ? 1 : -1;
  return (x->order > y->order) - (x->order < y->order);
}

/* Area under the precision-recall curve, precision made falling, read at 101 recalls. judged is by falling score. */
static double average_precision(const GArray *judged, int step, int truth_count) {
  g_autofree double *recall = g_new(double, judged->len + 1);
  g_autofree double *precision = g_new(double, judged->len + 1);
  int hits = 0, misses = 0, points = 0;
  for (guint i = 0; i < judged->len; i++) {
    guint8 outcome = g_array_index(judged, Judged, i).outcome[step];
    hits += outcome == HIT;
    misses += outcome == MISS;
    recall[points] = (double)hits / truth_count;
    precision[points++] = hits / (misses + hits + DBL_EPSILON);
  }
  for (int i = points - 2; i >= 0; i--) precision[i] = fmax(precision[i], precision[i + 1]);
  double sum = 0;
  for (int r = 0, at = 0; r < RECALLS; r++) {
    while (at < points && recall[at] < recall_threshold(r)) at++;
    if (at < points) sum += precision[at];
  }
  return sum / RECALLS;
}

static int by_category_and_image(const CocoBox *a, const CocoBox *b) {
  if (a->category != b->category) return a->category < b->category ? -1 : 1;
  return (a->image > b->image) - (a->image < b->image);
}

static int truths_in_order(gconstpointer a, gconstpointer b) {
  const CocoBox *x = a, *y = b;
  int order = by_category_and_image(x, y);
  if (order == 0) order = x->ignore - y->ignore;
  return order ? order : (x->order > y->order) - (x->order < y->order);
}

static int detections_in_order(gconstpointer a, gconstpointer b) {
  const CocoBox *x = a, *y = b;
  int order = by_category_and_image(x, y);
  if (order == 0 && x->score != y->score) order = x->score < y->score ? 1 : -1;
  return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* How many boxes from `at` on belong to category and image. */
static int run_length(const GArray *boxes, guint at, int category, int image) {
  guint end = at;
  while (end < boxes->len && g_array_index(boxes, CocoBox, end).category == category && g_array_index(boxes, CocoBox, end).image == image) end++;
  return (int)(end - at);
}

/* Judges one category in all pictures, moving both cursors behind it; returns how many truths count. */
static int judge_category(const FvCoco *coco, int category, guint *truth_at, guint *detection_at, GArray *judged) {
  int counting = 0;
  g_array_set_size(judged, 0);
  for (;;) {
    const CocoBox *truth = *truth_at < coco->truths->len ? &g_array_index(coco->truths, CocoBox, *truth_at) : NULL;
    const CocoBox *detection = *detection_at < coco->detections->len ? &g_array_index(coco->detections, CocoBox, *detection_at) : NULL;
    if (truth && truth->category != category) truth = NULL;
    if (detection && detection->category != category) detection = NULL;
    if (!truth && !detection) break;
    int image = truth && detection ? MIN(truth->image, detection->image) : truth ? truth->image : detection->image;
    int truth_count = run_length(coco->truths, *truth_at, category, image), count = run_length(coco->detections, *detection_at, category, image);
    for (int i = 0; i < truth_count; i++) counting += !truth[i].ignore;
    judge_image(truth, truth_count, detection, count, judged);
    *truth_at += (guint)truth_count;
    *detection_at += (guint)count;
  }
  g_array_sort(judged, by_falling_score);
  return counting;
}

void fv_coco_evaluate(FvCoco *coco, FvCocoResult *result, FvCocoClass *per_category) {
  g_autoptr(GArray) judged = g_array_new(FALSE, FALSE, sizeof(Judged));
  g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Judged));
  guint truth_at = 0, detection_at = 0;
  double sum = 0, sum50 = 0, pooled = 0, pooled50 = 0;
  int categories = 0, all_truths = 0;
  g_array_sort(coco->truths, truths_in_order);
  g_array_sort(coco->detections, detections_in_order);
  for (int c = 0; c < fv_coco_category_count(coco); c++) {
    int truth_count = judge_category(coco, c, &truth_at, &detection_at, judged);
    if (per_category) per_category[c] = (FvCocoClass){NAN, NAN};
    g_array_append_vals(all, judged->data, judged->len);
    all_truths += truth_count;
    if (truth_count == 0) continue;
    double mean = 0, half = 0;
    for (int step = 0; step < OVERLAPS; step++) {
      double precision = average_precision(judged, step, truth_count);
      mean += precision / OVERLAPS;
      if (step == 0) half = precision;
    }
    if (per_category) per_category[c] = (FvCocoClass){mean, half};
    sum50 += half;
    sum += mean;
    categories++;
  }
  for (guint i = 0; i < all->len; i++) g_array_index(all, Judged, i).order = i;
  g_array_sort(all, by_falling_score);
  for (int step = 0; step < OVERLAPS && all_truths; step++) {
    double precision = average_precision(all, step, all_truths);
    pooled += precision / OVERLAPS;
    if (step == 0) pooled50 = precision;
  }
  *result = (FvCocoResult){.map = categories ? sum / categories : NAN, .ap50 = categories ? sum50 / categories : NAN, .pooled = all_truths ? pooled : NAN,
                           .pooled50 = all_truths ? pooled50 : NAN};
}
