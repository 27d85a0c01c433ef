/* What `fovea run` shows on standard error: news line by line, and under them, on a terminal, a table that is drawn anew. */
#ifndef FOVEA_TOOLS_RUN_DISPLAY_H
#define FOVEA_TOOLS_RUN_DISPLAY_H

#include <fovea/pipeline.h>

typedef struct FvDisplay FvDisplay;

/* Without show, news only. interval in seconds; 0: each second on a terminal, each 10 elsewhere. Draws from the thread-default main context. */
FvDisplay *fv_display_new(FoveaPipeline *pipeline, gboolean show, int interval);
/* Leaves the last table standing. */
void fv_display_free(FvDisplay *display);
/* One or more lines, without the last line break. */
void fv_display_say(FvDisplay *display, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* A line for each camera, now. */
void fv_display_lines(FvDisplay *display);

#endif
