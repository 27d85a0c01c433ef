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
  guint delay;       /* ms; of no use to the trigger: by how much detections may come later, for the owner */
} FoveaTriggerFilter;

#define FOVEA_TRIGGER_PROPERTIES 4 /* as many ids */
#define FOVEA_TRIGGER_DELAY 1000 /* ms, where nothing is said */
FoveaTriggerFilter fovea_trigger_filter_copy(const FoveaTriggerFilter *filter);
void fovea_trigger_filter_clear(FoveaTriggerFilter *filter);

/* The properties by which an element lets others choose a filter, with ids from `first` on: trigger-element, -labels, -confidence and -delay. */
void fovea_trigger_install_properties(GObjectClass *class, guint first, const gchar *element_blurb, const gchar *delay_blurb);
/* number: id less `first`. FALSE: it is none of them. */
gboolean fovea_trigger_set_property(FoveaTriggerFilter *filter, guint number, const GValue *value);
gboolean fovea_trigger_get_property(const FoveaTriggerFilter *filter, guint number, GValue *value);
/* The action signal trigger(running-time, label); func is (element, guint64, const gchar *). */
void fovea_trigger_install_signal(GObjectClass *class, GCallback func);

/* Watches from now until fovea_trigger_stop(). owner is an element of the pipeline; of filter a copy is taken. NULL when no element is named. */
FoveaTrigger *fovea_trigger_start(GstElement *owner, const FoveaTriggerFilter *filter, FoveaTriggerFunc func, gpointer user);
/* When it returns func does not run and is not called again. Accepts NULL. Not from func. */
void fovea_trigger_stop(FoveaTrigger *trigger);
/* Takes no lock, so that it may be called with those held that func takes. Accepts NULL. */
gboolean fovea_trigger_found(FoveaTrigger *trigger);

G_END_DECLS
#endif
