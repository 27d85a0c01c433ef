/* Reading MOTChallenge's ground truth: a line a box, "frame,track,x,y,w,h,counts,class,visible". It comes from outside: every number is checked. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "coco_data.h"

#define MAX_BYTES (256 << 20)
#define MAX_FRAMES (1 << 20)

typedef struct MotLine {
  double values[9];
  int count;
} MotLine;

static gboolean parse_line(const char *text, MotLine *line) {
  line->count = 0;
  while (line->count < 9) {
    char *end = NULL;
    errno = 0;
    double value = g_ascii_strtod(text, &end);
    if (end == text || errno == ERANGE || !isfinite(value)) return FALSE;
    line->values[line->count++] = value;
    while (*end == ' ') end++;
    if (*end == '\0' || *end == '\r') break;
    if (*end != ',') return FALSE;
    text = end + 1;
  }
  return line->count >= 6;
}

static int add_line(FvCoco *coco, const char *path, int number, const char *text, int class_count, FvError *err) {
  MotLine line;
  if (!parse_line(text, &line)) return fv_error_set(err, FV_ERR_FORMAT, "%s:%d: six to nine numbers between commas are expected", path, number);
  const double *v = line.values;
  if (!(v[0] >= 1 && v[0] <= MAX_FRAMES && v[0] == floor(v[0])))
    return fv_error_set(err, FV_ERR_FORMAT, "%s:%d: the frame must be a whole number from 1 to %d", path, number, MAX_FRAMES);
  double class = line.count > 7 ? v[7] : 1;
  while (coco->images->len < (guint)v[0]) {
    CocoImage image = {coco->images->len + 1, coco->images->len, g_strdup_printf("%06u", coco->images->len + 1)};
    g_array_append_val(coco->images, image);
  }
  if (!(class >= 1 && class <= class_count && class == floor(class))) return 0;
  CocoBox truth = {.image = (int)v[0] - 1, .category = (int)class - 1, .order = coco->truths->len, .box = {v[2], v[3], v[4], v[5]}};
  double area = v[4] * v[5];
  truth.crowd = line.count > 6 && v[6] == 0; /* what lies there counts neither way */
  truth.ignore = truth.crowd || v[4] < 0 || v[5] < 0 || area > COCO_MAX_AREA;
  g_array_append_val(coco->truths, truth);
  return 0;
}

FvCoco *fv_coco_read_mot(const char *path, const char *const *classes, FvError *err) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, &error);
  if (!file || g_mapped_file_get_length(file) > MAX_BYTES) {
    if (file) fv_error_set(err, FV_ERR_LIMIT, "%s: larger than %d MiB", path, MAX_BYTES >> 20);
    else fv_error_set(err, FV_ERR_IO, "%s", error->message);
    return NULL;
  }
  FvCoco *coco = fv_coco_empty();
  int class_count = 0, number = 0, result = 0;
  for (; classes[class_count]; class_count++) {
    CocoCategory category = {class_count + 1, g_strdup(classes[class_count]), FALSE};
    g_array_append_val(coco->categories, category);
  }
  const char *at = g_mapped_file_get_contents(file), *end = at ? at + g_mapped_file_get_length(file) : NULL;
  while (at && at < end && result == 0) {
    const char *stop = memchr(at, '\n', (gsize)(end - at));
    if (!stop) stop = end;
    g_autofree char *text = g_strndup(at, (gsize)(stop - at));
    number++;
    if (*g_strstrip(text)) result = add_line(coco, path, number, text, class_count, err);
    at = stop + 1;
  }
  if (result == 0 && coco->images->len == 0) result = fv_error_set(err, FV_ERR_FORMAT, "%s: there is no box in it", path);
  if (result < 0) fv_coco_destroy(&coco);
  return coco;
}
