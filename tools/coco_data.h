/* What coco_read.c fills and coco.c measures. */
#ifndef FOVEA_TOOLS_COCO_DATA_H
#define FOVEA_TOOLS_COCO_DATA_H

#include "coco.h"

typedef struct CocoImage {
  gint64 id, frame; /* frame: of a clip; -1: not said */
  char *file;
} CocoImage;

typedef struct CocoCategory {
  gint64 id;
  char *name;
  gboolean left_out;
} CocoCategory;

/* An annotation or a detection. */
typedef struct CocoBox {
  int image, category;
  guint order;     /* of arrival: settles ties as a stable sort would */
  double box[4];   /* x, y, width, height */
  double score;    /* detections */
  gboolean crowd;  /* annotations: a group; what lies in it counts neither way */
  gboolean ignore; /* annotations: crowd, or an area out of range */
} CocoBox;

struct FvCoco {
  GArray *images;     /* CocoImage, by rising id */
  GArray *categories; /* CocoCategory */
  GArray *truths;     /* CocoBox */
  GArray *detections; /* CocoBox */
};

FvCoco *fv_coco_empty(void);

/* COCO's area range "all" ends here, in square pixels. */
#define COCO_MAX_AREA 1e10

#endif
