#ifndef FOVEA_PLUGINS_FOVEASPOOL_H
#define FOVEA_PLUGINS_FOVEASPOOL_H

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_TYPE_FOVEA_SPOOL (gst_fovea_spool_get_type())
G_DECLARE_FINAL_TYPE(GstFoveaSpool, gst_fovea_spool, GST, FOVEA_SPOOL, GstBaseSink)

GST_ELEMENT_REGISTER_DECLARE(foveaspool);

G_END_DECLS
#endif
