/* The pictures that compression looks at, and those that it is judged by. */
#ifndef FOVEA_TOOLS_COMPRESS_PICTURES_H
#define FOVEA_TOOLS_COMPRESS_PICTURES_H

#include <fovea/compress.h>

#include "measure.h"
#include "picture.h"

typedef struct FvCalibrationPictures {
  char *folder;
  GPtrArray *names;
  FvPicture open; /* the one that was read last */
  FvPictureSource source;
} FvCalibrationPictures;

/* `count` pictures of folder, evenly chosen. */
int fv_calibration_pictures_init(FvCalibrationPictures *pictures, const char *folder, int count, FvError *err);
void fv_calibration_pictures_finish(FvCalibrationPictures *pictures);

/* What the loss is measured on: pictures that calibration does not see, where there are any, at most `limit`. annotations NULL: the objects that model finds there are true. images
 * NULL: the folder of calibration. *ret_seen: there were no others, so that calibration has seen them. */
int fv_measured_pictures_init(FvMeasure *measure, const FvCalibrationPictures *pictures, const char *images, const char *annotations, int limit, FvModel *model, gboolean *ret_seen,
                              FvError *err);
/* The pictures of calibration themselves, for the search. */
int fv_search_pictures_init(FvMeasure *measure, const FvCalibrationPictures *pictures, const char *annotations, FvModel *model, FvError *err);

#endif
