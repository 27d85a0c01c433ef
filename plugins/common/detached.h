/* An element, usually a pipeline, whose state nobody here waits for without a limit.
 *
 * Opening a device, a socket or a file on a dead network disk may take for ever, and holds the element's locks meanwhile. So states are changed on threads of
 * GStreamer's, and whoever lets go decides how long to wait; an abandoned element ends by itself, if ever. What its streaming threads call must be made to
 * ignore them from then on: that is the owner's part. */
#ifndef FOVEA_PLUGINS_DETACHED_H
#define FOVEA_PLUGINS_DETACHED_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct FoveaDetached FoveaDetached;

/* Takes the (floating) element. before_stop(element), unless NULL, is called before it goes to NULL, on the thread that does it. */
FoveaDetached *fovea_detached_new(GstElement *element, void (*before_stop)(GstElement *element));
GstElement *fovea_detached_element(const FoveaDetached *detached); /* borrowed */
/* To PLAYING, elsewhere; a failure arrives as a message on the element's bus. */
void fovea_detached_play(FoveaDetached *detached);
/* To NULL, elsewhere, without waiting; a second call does nothing. stopped as below. */
void fovea_detached_begin_stop(FoveaDetached *detached, void (*stopped)(gpointer user), gpointer user);
gboolean fovea_detached_is_stopped(FoveaDetached *detached);
/* To NULL, elsewhere, where that was not begun yet (stopped is then not used). Frees and clears *detached, waiting for the stop at most until deadline (monotonic us); TRUE when it has stopped. stopped(user), unless NULL, is
 * called once it has, from any thread and possibly before this returns. Accepts a pointer to NULL, which has stopped. */
gboolean fovea_detached_release(FoveaDetached **detached, gint64 deadline, void (*stopped)(gpointer user), gpointer user);

G_END_DECLS
#endif
