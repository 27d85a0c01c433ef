#include "run_display.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "status.h"

#define PLAIN_INTERVAL_S 10

struct FvDisplay {
  FoveaPipeline *pipeline; /* borrowed */
  gboolean terminal;
  guint timer;
  int drawn; /* lines of the table that stand below the news */
};

static void window_size(guint *columns, int *lines) {
  struct winsize size = {0};
  gboolean known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
  *columns = known ? size.ws_col : 80;
  *lines = known ? size.ws_row : 24;
}

/* The cursor stands below the table: up to its first line, and everything from there on goes. */
static void erase(FvDisplay *self) {
  if (self->drawn > 0) fprintf(stderr, "\033[%dA\033[J", self->drawn);
  self->drawn = 0;
}

/* A table longer than the window could not be erased: its end is left out. */
static void draw(FvDisplay *self) {
  guint columns;
  int lines;
  window_size(&columns, &lines);
  char *json = fovea_pipeline_dup_status(self->pipeline), *text = fv_status_text(json, FV_STATUS_TABLE, columns);
  erase(self);
  for (const char *at = text; at != NULL && *at != '\0' && self->drawn < lines - 1; self->drawn++) {
    const char *end = strchr(at, '\n') + 1;
    fwrite(at, 1, (size_t)(end - at), stderr);
    at = end;
  }
  fflush(stderr);
  g_free(text);
  g_free(json);
}

static gboolean on_time(gpointer user) {
  FvDisplay *self = user;
  if (self->terminal)
    draw(self);
  else
    fv_display_lines(self);
  return G_SOURCE_CONTINUE;
}

FvDisplay *fv_display_new(FoveaPipeline *pipeline, gboolean show, int interval) {
  FvDisplay *self = g_new0(FvDisplay, 1);
  const char *term = g_getenv("TERM");
  self->pipeline = pipeline;
  self->terminal = show && isatty(STDERR_FILENO) && term != NULL && !g_str_equal(term, "dumb");
  if (show) self->timer = g_timeout_add_seconds((guint)(interval > 0 ? interval : self->terminal ? 1 : PLAIN_INTERVAL_S), on_time, self);
  return self;
}

void fv_display_free(FvDisplay *self) {
  if (self->timer != 0) g_source_remove(self->timer);
  g_free(self);
}

void fv_display_say(FvDisplay *self, const char *format, ...) {
  va_list args;
  va_start(args, format);
  erase(self);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  if (self->terminal) draw(self);
}

void fv_display_lines(FvDisplay *self) {
  char *json = fovea_pipeline_dup_status(self->pipeline), *text = fv_status_text(json, FV_STATUS_LINES, 0);
  erase(self);
  if (text != NULL) fputs(text, stderr);
  if (self->terminal) draw(self);
  g_free(text);
  g_free(json);
}
