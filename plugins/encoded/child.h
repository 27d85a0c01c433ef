/* A pipeline of its own made from launch text, fed with encoded frames. Its errors stay in it. */
#ifndef FOVEA_PLUGINS_CHILD_H
#define FOVEA_PLUGINS_CHILD_H

#include "gop.h"

G_BEGIN_DECLS

typedef struct FoveaChild FoveaChild;

/* What text of a sink becomes for caps (NULL: not known yet): before it stands what repeats parameter sets in every GOP and makes of them the form that the sink takes. To be
 * freed; NULL for empty text. */
gchar *fovea_child_complete(const gchar *text, GstCaps *caps);
/* FALSE for text of a sink that cannot be parsed and linked. Nothing is started. */
gboolean fovea_child_check(const gchar *text, GError **error);
/* text's first element must have a sink pad from the start. */
/* Copy of launch text, or of an error's, in which "***" stands for passwords: those of URIs, and the values of properties and parameters whose names say that they are secret. */
gchar *fovea_child_describe(const gchar *text);
FoveaChild *fovea_child_new(const gchar *text, GError **error);
FoveaChild *fovea_child_ref(FoveaChild *child);
void fovea_child_unref(FoveaChild *child); /* of one that is stopped, or was never started */

/* To PLAYING. Frames up to running time `now` are late for the child, so that its sinks do not wait with them. May take as long as its elements like. FALSE: see fovea_child_error(). */
gboolean fovea_child_start(FoveaChild *child, gint64 now);
/* Hands a frame over, with its times moved by shift ns, and new caps before it where they change; blocks as long as the child does. */
GstFlowReturn fovea_child_push(FoveaChild *child, const FoveaFrame *frame, GstCaps *caps, gint64 shift, gboolean discont);
/* Ends the stream and waits until everything has left the child, or an error, or the time is over (FALSE). */
gboolean fovea_child_drain(FoveaChild *child, gint timeout_ms);
/* To NULL, from any thread: also one that another is amidst of start or push. */
void fovea_child_stop(FoveaChild *child);
/* What went wrong first, to be freed, or NULL. From any thread. */
gchar *fovea_child_error(FoveaChild *child);
/* An element of the child's, to be unreffed, that has these two properties; NULL: none. */
GstElement *fovea_child_find(FoveaChild *child, const gchar *property, const gchar *other);

G_END_DECLS
#endif
