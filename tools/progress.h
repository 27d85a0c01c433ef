/* A progress bar on stderr, only when that is a terminal. */
#ifndef FOVEA_TOOLS_PROGRESS_H
#define FOVEA_TOOLS_PROGRESS_H

#include <glib.h>

typedef struct FvProgress {
  const char *what;  /* "pictures"; borrowed */
  gint64 total;      /* 0: not known */
  gint64 started_us, shown_us;
  gboolean on;
} FvProgress;

void fv_progress_start(FvProgress *progress, const char *what, gint64 total);
/* Redraws at most ten times a second. */
void fv_progress_show(FvProgress *progress, gint64 done);
/* Clears the line. */
void fv_progress_end(FvProgress *progress);

#endif
