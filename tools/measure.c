#include "measure.h"

#include <string.h>

#include "clip.h"
#include "progress.h"

#define MAX_KEPT_BYTES ((gsize)256 << 20)

typedef struct Pass {
  FvMeasure *measure;
  FvDetectParams params;
  FvPlan *plan;
  FvSession *session;
  int *category;      /* of a label; -1: not among the annotated ones */
  FvDetection *found; /* params.max_detections */
  gint64 total;
  FvFoundFn tell;
  void *data;
} Pass;

void fv_measure_finish(FvMeasure *measure) {
  for (int i = 0; measure->kept && i < fv_coco_image_count(measure->coco); i++) fv_picture_release(&measure->kept[i]);
  g_clear_pointer(&measure->kept, g_free);
  fv_coco_destroy(&measure->coco);
  g_clear_pointer(&measure->folder, g_free);
  g_clear_pointer(&measure->clip, g_free);
}

static void list_names(FvMeasure *measure, const GPtrArray *names, const FvModel *model) {
  const FvDescription *description = fv_model_description(model);
  g_autoptr(GPtrArray) labels = g_ptr_array_new_with_free_func(g_free);
  char scratch[32];
  for (int i = 0; i < description->class_count; i++) g_ptr_array_add(labels, g_strdup(fv_description_label(description, i, scratch)));
  measure->coco = fv_coco_create((const char *const *)names->pdata, (int)names->len, (const char *const *)labels->pdata, (int)labels->len);
}

void fv_measure_list(FvMeasure *measure, const char *folder, const GPtrArray *names, const FvModel *model) {
  measure->folder = g_strdup(folder);
  list_names(measure, names, model);
}

int fv_measure_list_frames(FvMeasure *measure, const FvModel *model, FvError *err) {
  gint64 count = fv_clip_count(measure->clip, err);
  if (count <= 0 || count > G_MAXINT) return count < 0 ? (int)count : fv_error_set(err, FV_ERR_FORMAT, "%s: has no frame", measure->clip);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  for (gint64 i = 0; i < count; i++) g_ptr_array_add(names, g_strdup_printf("%06" G_GINT64_FORMAT, i));
  list_names(measure, names, model);
  return 0;
}

/* By name; by position where there are equally many of both and a name is not known, since the same list is spelt in several ways. */
static int map_labels(Pass *it, const FvModel *model, FvError *err) {
  const FvDescription *description = fv_model_description(model);
  const FvCoco *coco = it->measure->coco;
  int categories = fv_coco_category_count(coco), labels = description->class_count, named = 0;
  char scratch[32];
  it->category = g_new(int, labels + 1);
  for (int label = 0; label < labels; label++) {
    it->category[label] = fv_coco_find_category(coco, fv_description_label(description, label, scratch));
    named += it->category[label] >= 0;
  }
  if (named == labels) return 0;
  if (labels == categories)
    for (int label = 0; label < labels; label++) it->category[label] = label;
  if (named || labels == categories) return 0;
  return fv_error_set(err, FV_ERR_CONFIG, "none of the model's %d classes is among the %d annotated ones; give their names with --labels", labels, categories);
}

static int open_session(Pass *it, FvModel *model, FvError *err) {
  const FvMeasure *m = it->measure;
  FvPlanParams params = {.device = m->device, .threads = m->threads, .precision = m->precision};
  int result = map_labels(it, model, err);
  if (result == 0) result = fv_plan_create(model, &params, &it->plan, err);
  if (result == 0) result = fv_session_create(it->plan, &it->session, err);
  it->params = (FvDetectParams){(float)(m->threshold > 0 ? m->threshold : 0.01), (float)m->iou_threshold, m->max_detections > 0 ? m->max_detections : 100};
  it->found = g_new(FvDetection, it->params.max_detections);
  return result;
}

/* *ret_owned: whoever asked releases it. */
static int open_picture(FvMeasure *measure, int image, FvPicture *picture, gboolean *ret_owned, FvError *err) {
  *ret_owned = FALSE;
  if (measure->kept && measure->kept[image].pixels) {
    *picture = measure->kept[image];
    return 0;
  }
  g_autofree char *path = g_build_filename(measure->folder, fv_coco_image_file(measure->coco, image), NULL);
  int result = fv_picture_read(path, false, picture, err);
  if (result < 0) return result;
  FvFrame frame = fv_picture_frame(picture);
  gsize bytes = (gsize)frame.stride[0] * (gsize)frame.height;
  *ret_owned = !measure->keeps_pictures || measure->kept_bytes + bytes > MAX_KEPT_BYTES;
  if (*ret_owned) return 0;
  if (!measure->kept) measure->kept = g_new0(FvPicture, fv_coco_image_count(measure->coco));
  measure->kept[image] = *picture;
  measure->kept_bytes += bytes;
  return 0;
}

static int judge_frame(Pass *it, int image, const FvFrame *frame, FvError *err) {
  int count = fv_session_detect(it->session, frame, &it->params, it->found, it->params.max_detections, err);
  if (count < 0) return fv_error_prefix(err, "%.256s", fv_coco_image_file(it->measure->coco, image));
  for (int i = 0; i < count; i++) {
    const FvDetection *d = &it->found[i];
    double box[4] = {d->x0, d->y0, (double)d->x1 - d->x0, (double)d->y1 - d->y0};
    int category = it->category[d->label];
    if (category < 0 || !fv_coco_add(it->measure->coco, image, category, d->score, box)) continue;
    it->total++;
    if (it->tell) it->tell(it->data, image, category, d->score, box);
  }
  return 0;
}

static int judge_picture(Pass *it, int image, FvError *err) {
  FvPicture picture;
  gboolean owned;
  int result = open_picture(it->measure, image, &picture, &owned, err);
  if (result < 0) return result;
  FvFrame frame = fv_picture_frame(&picture);
  result = judge_frame(it, image, &frame, err);
  if (owned) fv_picture_release(&picture);
  return result;
}

static int judge_pictures(Pass *it, FvProgress *progress, FvError *err) {
  int count = fv_coco_image_count(it->measure->coco), result = 0;
  for (int i = 0; i < count && result == 0; i++) {
    if (progress) fv_progress_show(progress, i);
    result = judge_picture(it, i, err);
  }
  return result;
}

/* Images by the number of their frame, of which a truth may name but some. */
static GHashTable *images_by_frame(const FvCoco *coco) {
  GHashTable *images = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  for (int i = 0; i < fv_coco_image_count(coco); i++) {
    gint64 frame = fv_coco_image_frame(coco, i);
    g_hash_table_insert(images, g_memdup2(&frame, sizeof frame), GINT_TO_POINTER(i));
  }
  return images;
}

static int judge_clip(Pass *it, FvProgress *progress, FvError *err) {
  g_autoptr(GHashTable) images = images_by_frame(it->measure->coco);
  int seen = 0, wanted = (int)g_hash_table_size(images), result;
  FvClip *clip = fv_clip_open(it->measure->clip, err);
  FvFrame frame;
  result = clip ? 1 : -1;
  for (gint64 n = 0; seen < wanted && result > 0 && (result = fv_clip_next(clip, &frame, err)) > 0; n++) {
    gpointer image;
    if (!g_hash_table_lookup_extended(images, &n, NULL, &image)) continue;
    if (judge_frame(it, GPOINTER_TO_INT(image), &frame, err) < 0) result = -1;
    if (progress) fv_progress_show(progress, ++seen);
    else seen++;
  }
  fv_clip_close(&clip);
  if (result < 0) return result;
  return seen == wanted ? 0 : fv_error_set(err, FV_ERR_FORMAT, "%s: has %d of the %d frames of the truth", it->measure->clip, seen, wanted);
}

static int judge_all(Pass *it, FvError *err) {
  FvProgress progress, *shown = it->measure->progress ? &progress : NULL;
  if (shown) fv_progress_start(shown, it->measure->progress, fv_coco_image_count(it->measure->coco));
  int result = (it->measure->clip ? judge_clip : judge_pictures)(it, shown, err);
  if (shown) fv_progress_end(shown);
  return result;
}

gint64 fv_measure_detect(FvMeasure *measure, FvModel *model, FvFoundFn found, void *data, FvError *err) {
  Pass it = {.measure = measure, .tell = found, .data = data};
  fv_coco_forget(measure->coco);
  int result = open_session(&it, model, err);
  if (result == 0) result = judge_all(&it, err);
  g_free(it.found);
  g_free(it.category);
  fv_session_destroy(&it.session);
  fv_plan_destroy(&it.plan);
  return result < 0 ? result : it.total;
}

int fv_measure_trust(FvMeasure *measure, FvModel *model, FvError *err) {
  double threshold = measure->threshold;
  measure->threshold = FV_TRUTH_SCORE;
  gint64 found = fv_measure_detect(measure, model, NULL, NULL, err);
  measure->threshold = threshold;
  if (found < 0) return (int)found;
  fv_coco_adopt(measure->coco);
  return 0;
}
