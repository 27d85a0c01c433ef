#include "compress_pictures.h"

#include <stdlib.h>
#include <string.h>

#include "gallery.h"

static int read_picture(void *data, int index, FvFrame *frame, FvError *err) {
  FvCalibrationPictures *it = data;
  g_autofree char *path = g_build_filename(it->folder, it->names->pdata[index], NULL);
  fv_picture_release(&it->open);
  int result = fv_picture_read(path, false, &it->open, err);
  if (result == 0) *frame = fv_picture_frame(&it->open);
  return result;
}

int fv_calibration_pictures_init(FvCalibrationPictures *pictures, const char *folder, int count, FvError *err) {
  *pictures = (FvCalibrationPictures){.folder = g_strdup(folder), .names = fv_gallery_list(folder, err)};
  if (!pictures->names) return FV_ERR_IO;
  fv_gallery_thin(pictures->names, (guint)count);
  pictures->source = (FvPictureSource){(int)pictures->names->len, read_picture, pictures};
  return 0;
}

void fv_calibration_pictures_finish(FvCalibrationPictures *pictures) {
  fv_picture_release(&pictures->open);
  g_clear_pointer(&pictures->names, g_ptr_array_unref);
  g_clear_pointer(&pictures->folder, g_free);
}

/* --- which pictures are the same --- */

static GHashTable *paths_of(const FvCalibrationPictures *pictures) {
  GHashTable *paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < pictures->names->len; i++) {
    g_autofree char *path = g_build_filename(pictures->folder, pictures->names->pdata[i], NULL);
    char *real = realpath(path, NULL);
    if (real) g_hash_table_add(paths, g_strdup(real));
    free(real);
  }
  return paths;
}

static gboolean is_among(GHashTable *paths, const char *folder, const char *name) {
  g_autofree char *path = g_build_filename(folder, name, NULL);
  char *real = realpath(path, NULL);
  gboolean found = real && g_hash_table_contains(paths, real);
  free(real);
  return found;
}

/* Keeps `limit` of those that are marked, evenly chosen. */
static void thin_marks(gboolean *keep, int count, int limit) {
  int marked = 0, met = 0;
  for (int i = 0; i < count; i++) marked += keep[i];
  if (marked <= limit) return;
  for (int i = 0; i < count; i++) {
    if (!keep[i]) continue;
    keep[i] = (gint64)(met + 1) * limit / marked > (gint64)met * limit / marked;
    met++;
  }
}

/* wanted: pictures of calibration, or all but those. FALSE when none is left, and nothing has changed. */
static gboolean choose(FvMeasure *measure, const FvCalibrationPictures *pictures, gboolean wanted, int limit) {
  int count = fv_coco_image_count(measure->coco);
  g_autoptr(GHashTable) seen = paths_of(pictures);
  g_autofree gboolean *keep = g_new(gboolean, count + 1);
  gboolean any = FALSE;
  for (int i = 0; i < count; i++) {
    keep[i] = is_among(seen, measure->folder, fv_coco_image_file(measure->coco, i)) == wanted;
    any = any || keep[i];
  }
  if (!any) return FALSE;
  thin_marks(keep, count, limit);
  fv_coco_keep(measure->coco, keep);
  return TRUE;
}

static int list(FvMeasure *measure, const char *folder, const char *annotations, const FvModel *model, FvError *err) {
  if (annotations) {
    measure->folder = g_strdup(folder);
    measure->coco = fv_coco_read(annotations, err);
    return measure->coco ? 0 : FV_ERR_FORMAT;
  }
  g_autoptr(GPtrArray) names = fv_gallery_list(folder, err);
  if (!names) return FV_ERR_IO;
  fv_measure_list(measure, folder, names, model);
  return 0;
}

static int trust(FvMeasure *measure, FvModel *model, FvError *err) {
  const char *progress = measure->progress;
  measure->progress = progress ? "finding what is true" : NULL;
  int result = fv_measure_trust(measure, model, err);
  measure->progress = progress;
  return result;
}

int fv_measured_pictures_init(FvMeasure *measure, const FvCalibrationPictures *pictures, const char *images, const char *annotations, int limit, FvModel *model, gboolean *ret_seen,
                              FvError *err) {
  int result = list(measure, images ? images : pictures->folder, annotations, model, err);
  if (result < 0) return result;
  *ret_seen = !choose(measure, pictures, FALSE, limit);
  if (*ret_seen) choose(measure, pictures, TRUE, limit);
  return annotations ? 0 : trust(measure, model, err);
}

int fv_search_pictures_init(FvMeasure *measure, const FvCalibrationPictures *pictures, const char *annotations, FvModel *model, FvError *err) {
  int result = list(measure, pictures->folder, annotations, model, err);
  if (result < 0) return result;
  if (!choose(measure, pictures, TRUE, G_MAXINT)) return fv_error_set(err, FV_ERR_CONFIG, "none of the pictures in %s is among the annotated ones", pictures->folder);
  return annotations ? 0 : trust(measure, model, err);
}
