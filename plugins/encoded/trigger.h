/* Finds the moments at which something was detected: in the metas of the buffers that leave a named element of the same top-level pipeline, wherever in it and whenever it appears. */
#ifndef FOVEA_PLUGINS_TRIGGER_H
#define FOVEA_PLUGINS_TRIGGER_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct FoveaTrigger FoveaTrigger;

/* running_time in ns; label is interned. From that element's streaming thread: must not block. */
typedef void (*FoveaTriggerFunc)(gpointer user, gint64 running_time, const gchar *label);

typedef struct FoveaTriggerFilter {
  gchar *element;    /* its name; NULL: none is watched */
  gchar *labels;     /* with commas between them; NULL or "": any */
  gdouble confidence; /* 0..1: lower ones do not count; objects without a confidence do */
} FoveaTriggerFilter;

/* Watches from now until fovea_trigger_stop(). owner is an element of the pipeline; of filter a copy is taken. NULL when no element is named. */
FoveaTrigger *fovea_trigger_start(GstElement *owner, const FoveaTriggerFilter *filter, FoveaTriggerFunc func, gpointer user);
/* When it returns func does not run and is not called again. Accepts NULL. Not from func. */
void fovea_trigger_stop(FoveaTrigger *trigger);
/* Takes no lock, so that it may be called with those held that func takes. Accepts NULL. */
gboolean fovea_trigger_found(FoveaTrigger *trigger);

G_END_DECLS
#endif
