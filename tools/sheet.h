/* A contact sheet: frames spread evenly over a video, each with its time, on one picture. How long the video is need not be known before it ends. */
#ifndef FOVEA_TOOLS_SHEET_H
#define FOVEA_TOOLS_SHEET_H

#include <gst/video/video.h>

#include <fovea/error.h>

enum { FV_SHEET_MAX_SIDE = 8 }; /* cells in a row or column */

typedef struct FvSheetGrid {
  int columns, rows;
} FvSheetGrid;
/* "3x3", 1 to FV_SHEET_MAX_SIDE each; false for anything else. */
gboolean fv_sheet_grid_parse(const char *text, FvSheetGrid *grid);

typedef struct FvSheet FvSheet;

FvSheet *fv_sheet_new(FvSheetGrid grid);
void fv_sheet_free(FvSheet *sheet);
/* One frame after another; only those that may still be wanted are looked at and copied, fewer and fewer as the video goes on. time is GST_CLOCK_TIME_NONE where it is not
 * known. The first frame decides about the size of the cells. */
void fv_sheet_add(FvSheet *sheet, GstBuffer *frame, GstCaps *caps, GstClockTime time);
/* Writes .png, .jpg or .bmp. FV_ERR_FORMAT when not one frame could be read. */
int fv_sheet_write(const FvSheet *sheet, const char *path, FvError *err);

#endif
