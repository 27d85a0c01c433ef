#include "picture.h"

#include <string.h>

#include <gdk-pixbuf/gdk-pixbuf.h>

enum { BITS = 8 };
static const char jpeg_quality[] = "92";

static int check_size(const char *path, FvError *err) {
  int width = 0, height = 0;
  if (!g_file_test(path, G_FILE_TEST_EXISTS)) return fv_error_set(err, FV_ERR_IO, "%s: no such file", path);
  if (!gdk_pixbuf_get_file_info(path, &width, &height)) return fv_error_set(err, FV_ERR_FORMAT, "%s: not a picture of a known format", path);
  if (width < 1 || height < 1 || width > FV_MAX_FRAME_SIDE || height > FV_MAX_FRAME_SIDE)
    return fv_error_set(err, FV_ERR_LIMIT, "%s: %dx%d pixels; sides may have 1 to %d", path, width, height, FV_MAX_FRAME_SIDE);
  return 0;
}

int fv_picture_read(const char *path, bool upright, FvPicture *picture, FvError *err) {
  GError *error = NULL;
  int code = check_size(path, err);
  if (code < 0) return code;
  GdkPixbuf *pixels = gdk_pixbuf_new_from_file(path, &error);
  if (!pixels) {
    fv_error_set(err, FV_ERR_FORMAT, "%s: %s", path, error->message);
    g_error_free(error);
    return FV_ERR_FORMAT;
  }
  if (upright) {
    GdkPixbuf *turned = gdk_pixbuf_apply_embedded_orientation(pixels);
    g_object_unref(pixels);
    if (!turned) return fv_error_set(err, FV_ERR_NO_MEMORY, "%s: no memory to turn the picture", path);
    pixels = turned;
  }
  picture->pixels = pixels;
  return 0;
}

void fv_picture_release(FvPicture *picture) {
  if (picture->pixels) g_object_unref(picture->pixels);
  picture->pixels = NULL;
}

FvFrame fv_picture_frame(const FvPicture *picture) {
  const GdkPixbuf *pixels = picture->pixels;
  return (FvFrame){
    .format = gdk_pixbuf_get_n_channels(pixels) == 4 ? FV_FORMAT_RGBA : FV_FORMAT_RGB,
    .width = gdk_pixbuf_get_width(pixels), .height = gdk_pixbuf_get_height(pixels),
    .plane = {gdk_pixbuf_read_pixels(pixels)}, .stride = {gdk_pixbuf_get_rowstride(pixels)},
  };
}

/* gdk-pixbuf's name of the format that an ending stands for, or NULL. */
static const char *format_of(const char *path) {
  static const char *const formats[][2] = {{"png", "png"}, {"jpg", "jpeg"}, {"jpeg", "jpeg"}, {"bmp", "bmp"}};
  const char *dot = strrchr(path, '.');
  for (size_t i = 0; dot && i < G_N_ELEMENTS(formats); i++)
    if (g_ascii_strcasecmp(dot + 1, formats[i][0]) == 0) return formats[i][1];
  return NULL;
}

bool fv_picture_can_write(const char *path) { return format_of(path) != NULL; }

int fv_picture_write(const char *path, const FvFrame *frame, FvError *err) {
  const char *format = format_of(path);
  bool alpha = frame->format == FV_FORMAT_RGBA;
  GError *error = NULL;
  if (!format) return fv_error_set(err, FV_ERR_INVALID, "%s: pictures are written as .png, .jpg or .bmp", path);
  if (!alpha && frame->format != FV_FORMAT_RGB) return fv_error_set(err, FV_ERR_INVALID, "%s: pictures are written from RGB or RGBA", path);
  GdkPixbuf *pixels = gdk_pixbuf_new_from_data(frame->plane[0], GDK_COLORSPACE_RGB, alpha, BITS, frame->width, frame->height, frame->stride[0], NULL, NULL);
  bool jpeg = strcmp(format, "jpeg") == 0;
  gboolean saved = gdk_pixbuf_save(pixels, path, format, &error, jpeg ? "quality" : NULL, jpeg_quality, NULL);
  g_object_unref(pixels);
  if (saved) return 0;
  fv_error_set(err, FV_ERR_IO, "%s: %s", path, error->message);
  g_error_free(error);
  return FV_ERR_IO;
}
