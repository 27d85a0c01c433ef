/* Mean average precision by the COCO rules: ten overlaps from 0.50 to 0.95, interpolation at 101 recalls, all areas, at most 100 detections a
 * picture and class, crowds neither hits nor misses. Gives the same numbers as pycocotools. */
#ifndef FOVEA_TOOLS_COCO_H
#define FOVEA_TOOLS_COCO_H

#include <glib.h>

#include <fovea/error.h>

typedef struct FvCoco FvCoco;

typedef struct FvCocoResult {
  double map;  /* mean over classes and overlaps, 0 to 1; NAN when the file has no object at all */
  double ap50; /* the same at overlap 0.5 alone */
  double pooled; /* like map, but all classes are ranked together: a class with one object does not weigh as much as one with a hundred, so that a few pictures say more */
  double pooled50;
} FvCocoResult;

typedef struct FvCocoClass {
  double ap, ap50; /* mean over overlaps, and at overlap 0.5; NAN for a category without objects */
} FvCocoClass;

/* Reads an instances.json (images, annotations, categories); of a clip: the same, each image with its frame_index from 0. NULL on failure. */
FvCoco *fv_coco_read(const char *path, FvError *err);
/* Reads a MOTChallenge gt.txt (frame from 1, track, x, y, width, height, 1 or 0: ignore, class from 1, visible share; the last two may be missing: class 1). Images are the
 * frames 1 to the last that is named; classes[i] is the name of class i + 1, others are passed over. NULL on failure. */
FvCoco *fv_coco_read_mot(const char *path, const char *const *classes, FvError *err);
/* Pictures (relative names; ids from 1) and classes (ids from 1) without any object. */
FvCoco *fv_coco_create(const char *const *files, int file_count, const char *const *categories, int category_count);
void fv_coco_destroy(FvCoco **coco);
/* Keeps the pictures of which keep[image] is TRUE, with their objects. Detections are forgotten. */
void fv_coco_keep(FvCoco *coco, const gboolean *keep);
/* Another name for a category; FALSE when there is none of the old one. */
gboolean fv_coco_rename_category(FvCoco *coco, const char *from, const char *to);
/* Only these categories count from now on; FALSE when a name is none of them, *ret_unknown telling which. Detections are forgotten. */
gboolean fv_coco_keep_categories(FvCoco *coco, const char *const *names, const char **ret_unknown);

/* Pictures, by rising id. File names are relative and do not leave the folder they are in. */
int fv_coco_image_count(const FvCoco *coco);
gint64 fv_coco_image_id(const FvCoco *coco, int image);
const char *fv_coco_image_file(const FvCoco *coco, int image);
/* Which frame of its clip, from 0: frame_index, or, where the file has none, the image's place. */
gint64 fv_coco_image_frame(const FvCoco *coco, int image);
/* Categories, in the file's order: a model's label i is category i. */
int fv_coco_category_count(const FvCoco *coco);
gint64 fv_coco_category_id(const FvCoco *coco, int category);
const char *fv_coco_category_name(const FvCoco *coco, int category);
/* Which category has this name, in whatever case; -1: none. */
int fv_coco_find_category(const FvCoco *coco, const char *name);

/* Adds one detection: box is x, y, width, height in pixels of the picture. FALSE, and nothing added, when an index is out of range or a number
 * is not finite. */
gboolean fv_coco_add(FvCoco *coco, int image, int category, double score, const double box[4]);

/* Forgets all detections. */
void fv_coco_forget(FvCoco *coco);
/* The detections become the objects, in place of those there were. */
void fv_coco_adopt(FvCoco *coco);

/* per_category: fv_coco_category_count() of them; may be NULL. */
void fv_coco_evaluate(FvCoco *coco, FvCocoResult *result, FvCocoClass *per_category);

#endif
