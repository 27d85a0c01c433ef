#include "progress.h"

#include <stdio.h>
#include <unistd.h>

enum { BAR_WIDTH = 30 };

void fv_progress_start(FvProgress *progress, const char *what, gint64 total) {
  *progress = (FvProgress){.what = what, .total = total, .started_us = g_get_monotonic_time(), .on = isatty(STDERR_FILENO)};
}

void fv_progress_show(FvProgress *progress, gint64 done) {
  gint64 now = g_get_monotonic_time();
  gboolean last = progress->total > 0 && done >= progress->total;
  if (!progress->on || (!last && now - progress->shown_us < G_USEC_PER_SEC / 10)) return;
  progress->shown_us = now;
  double seconds = (double)(now - progress->started_us) / G_USEC_PER_SEC, rate = seconds > 0 ? (double)done / seconds : 0;
  if (progress->total <= 0) {
    fprintf(stderr, "\r%" G_GINT64_FORMAT " %s, %.1f/s\033[K", done, progress->what, rate);
    return;
  }
  int filled = (int)(BAR_WIDTH * MIN(done, progress->total) / progress->total);
  char bar[BAR_WIDTH + 1];
  for (int i = 0; i < BAR_WIDTH; i++) bar[i] = i < filled ? '#' : '.';
  bar[BAR_WIDTH] = '\0';
  int left = rate > 0 ? (int)((double)(progress->total - done) / rate + 0.5) : 0;
  fprintf(stderr, "\r[%s] %" G_GINT64_FORMAT "/%" G_GINT64_FORMAT " %s, %.1f/s, %d:%02d left\033[K", bar, done, progress->total, progress->what, rate,
          left / 60, left % 60);
}

void fv_progress_end(FvProgress *progress) {
  if (progress->on) fprintf(stderr, "\r\033[K");
  progress->on = FALSE;
}
