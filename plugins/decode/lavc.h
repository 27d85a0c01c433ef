/* libavcodec, opened at run time, so that the element is there without it. Structures come from the headers of the build: only the very major version built with is
 * opened, whose layout they are. */
#ifndef FOVEA_PLUGINS_LAVC_H
#define FOVEA_PLUGINS_LAVC_H

#include <glib.h>
#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>
#include <libavutil/motion_vector.h>

G_BEGIN_DECLS

#define FOVEA_LAVC_FUNCTIONS(X)                                                                                                             \
  X(avcodec_version) X(avutil_version) X(avcodec_find_decoder) X(avcodec_alloc_context3) X(avcodec_free_context) X(avcodec_open2)           \
  X(avcodec_send_packet) X(avcodec_receive_frame) X(avcodec_flush_buffers) X(avcodec_default_get_buffer2)                                   \
  X(av_packet_alloc) X(av_packet_free) X(av_packet_unref) X(av_frame_alloc) X(av_frame_free) X(av_frame_unref) X(av_frame_get_side_data)    \
  X(av_buffer_ref) X(av_buffer_unref) X(av_buffer_is_writable) X(av_mallocz) X(av_strerror) X(av_get_pix_fmt_name)                          \
  X(av_log_get_level) X(av_log_set_level)

typedef struct FoveaLavc {
#define FOVEA_LAVC_MEMBER(name) __typeof__(&name) name;
  FOVEA_LAVC_FUNCTIONS(FOVEA_LAVC_MEMBER)
#undef FOVEA_LAVC_MEMBER
} FoveaLavc;

/* Opens the library at the first call and keeps it until the process ends. NULL, and *ret_problem a sentence of static storage, when it cannot be had. Any thread. */
const FoveaLavc *fovea_lavc_get(const gchar **ret_problem);

G_END_DECLS
#endif
