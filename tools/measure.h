/* How good a detector is on pictures whose objects are known: from annotations, or because another model found them. */
#ifndef FOVEA_TOOLS_MEASURE_H
#define FOVEA_TOOLS_MEASURE_H

#include <fovea/plan.h>

#include "coco.h"
#include "picture.h"

/* What another model finds with this score or a better one is true. High enough that a good detector means it, low enough that faint objects count. */
#define FV_TRUTH_SCORE 0.3

typedef struct FvMeasure {
  FvCoco *coco;
  char *folder;              /* of the pictures, or */
  char *clip;                /* the recording whose frames they are */
  double threshold;          /* lowest score that counts; 0: 0.01 */
  double iou_threshold;      /* of suppression; 0: the model's own */
  int max_detections;        /* per picture; 0: 100 */
  const char *device;        /* as in FvPlanParams; borrowed */
  int threads;
  FvPrecision precision;
  const char *progress;      /* what the bar shows; NULL: none */
  gboolean keeps_pictures;   /* decoded, up to 256 MiB of them: for measures that are taken many times */
  FvPicture *kept;           /* by image */
  gsize kept_bytes;
} FvMeasure;

void fv_measure_finish(FvMeasure *measure);
/* All frames of measure->clip, which is read through to count them. The classes are the model's. No truth yet. */
int fv_measure_list_frames(FvMeasure *measure, const FvModel *model, FvError *err);
/* names: relative to folder. The classes are the model's. No truth yet. */
void fv_measure_list(FvMeasure *measure, const char *folder, const GPtrArray *names, const FvModel *model);

typedef void (*FvFoundFn)(void *data, int image, int category, double score, const double box[4]);
/* Runs model over all pictures and adds what it finds to the coco, in place of what was found before; every detection goes to `found` too, which may be NULL. Returns how
 * many there were, or a negative code. FV_ERR_CONFIG when none of the model's classes is among the annotated ones. */
gint64 fv_measure_detect(FvMeasure *measure, FvModel *model, FvFoundFn found, void *data, FvError *err);
/* What model finds is true from now on. */
int fv_measure_trust(FvMeasure *measure, FvModel *model, FvError *err);

#endif
