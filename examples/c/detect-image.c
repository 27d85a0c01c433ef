/* Finds objects in a picture with the inference library alone: no GLib, no GStreamer.
 *
 *   cc detect-image.c -o detect-image $(pkg-config --cflags --libs fovea)
 *   ./detect-image yolo-fastestv2.onnx street.ppm          (convert street.jpg street.ppm)
 *
 * Prints one line per object: label, score, left, top, right, bottom. */
#include <stdio.h>
#include <stdlib.h>

#include <fovea/fovea.h>

#define MOST 64

/* Reads a binary PPM (P6, 8 bits) into an RGB frame; the caller frees the pixels. */
static unsigned char *read_ppm(const char *path, FvFrame *frame) {
  FILE *file = fopen(path, "rb");
  int width = 0, height = 0, most = 0;
  unsigned char *pixels = NULL;
  if (file && fscanf(file, "P6 %d %d %d", &width, &height, &most) == 3 && fgetc(file) != EOF && most == 255 && width > 0 && height > 0 &&
      width <= FV_MAX_FRAME_SIDE && height <= FV_MAX_FRAME_SIDE) {
    size_t bytes = (size_t)width * (size_t)height * 3;
    pixels = malloc(bytes);
    if (pixels && fread(pixels, 1, bytes, file) != bytes) {
      free(pixels);
      pixels = NULL;
    }
  }
  if (file) fclose(file);
  *frame = (FvFrame){.format = FV_FORMAT_RGB, .width = width, .height = height, .plane = {pixels}, .stride = {width * 3}};
  return pixels;
}

static int complain(const char *message) {
  fprintf(stderr, "detect-image: %s\n", message);
  return 1;
}

int main(int argc, char **argv) {
  FvError err;
  FvModel *model = NULL;
  FvPlan *plan = NULL;
  FvSession *session = NULL;
  FvDetection found[MOST];
  FvFrame frame;
  char scratch[32];

  if (argc != 3) return complain("usage: detect-image MODEL PICTURE.ppm");
  unsigned char *pixels = read_ppm(argv[2], &frame);
  if (!pixels) return complain("the picture is no binary PPM file");

  int count = -1;
  if (fv_model_open(argv[1], NULL, &model, &err) == 0 &&                               /* NULL: defaults */
      fv_plan_create(model, &fv_plan_params(.device = "cpu"), &plan, &err) == 0 &&     /* immutable; share it between threads */
      fv_session_create(plan, &session, &err) == 0)
    count = fv_session_detect(session, &frame, NULL, found, MOST, &err);               /* boxes in pixels of the frame */

  for (int i = 0; i < count; i++)
    printf("%s %.3f %.0f %.0f %.0f %.0f\n", fv_description_label(fv_model_description(model), found[i].label, scratch), found[i].score,
           found[i].x0, found[i].y0, found[i].x1, found[i].y1);

  fv_session_destroy(&session);
  fv_plan_destroy(&plan);
  fv_model_destroy(&model);
  free(pixels);
  return count < 0 ? complain(err.message) : 0;
}
