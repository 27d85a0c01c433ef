/* What `fovea detect` was asked for; pictures and videos go separate ways. */
#ifndef FOVEA_TOOLS_DETECT_H
#define FOVEA_TOOLS_DETECT_H

#include <stdio.h>

#include "options.h"
#include "sheet.h"

typedef struct FvDetectJob {
  const char *input;
  char *model; /* path, found */
  FvModelOptions options;
  double threshold, iou_threshold; /* 0: the model's own */
  int max_detections, interval;
  char *output, *json; /* or NULL; json "-" is standard output */
  char *sheet;         /* of a video, or NULL */
  FvSheetGrid grid;    /* of the sheet */
  gboolean quiet;
} FvDetectJob;

/* Both return an exit code, after saying what went wrong. */
int fv_detect_picture(const FvDetectJob *job);
int fv_detect_video(const FvDetectJob *job);

/* Where the summary goes: standard error while records go to standard output. NULL with --quiet. */
FILE *fv_detect_report(const FvDetectJob *job);

#endif
