/* Signatures, policies and encryption. */
#include <string.h>
#include <sys/stat.h>

#include <glib/gstdio.h>

#include "support.h"

static char *make_key(const char *name, FvKeyKind kind) {
  g_autofree char *stem = support_path(name);
  FvError err;
  if (fv_key_create(stem, kind, &err) < 0) g_error("%s", err.message);
  return g_strconcat(stem, ".key", NULL);
}

/* A directory with the public half of the key. */
static char *trust(const char *key, const char *name) {
  char *directory = support_path(name);
  g_autofree char *stem = g_strndup(key, strlen(key) - 4), *public_key = g_strconcat(stem, ".pub", NULL), *text = NULL, *copy = NULL;
  gsize size;
  g_mkdir(directory, 0755);
  copy = g_build_filename(directory, "key.pub", NULL);
  g_assert_true(g_file_get_contents(public_key, &text, &size, NULL));
  g_assert_true(g_file_set_contents(copy, text, (gssize)size, NULL));
  return directory;
}

static void test_policies(void) {
  g_autofree char *mine = make_key("mine", FV_KEY_SIGNING), *other = make_key("other", FV_KEY_SIGNING);
  g_autofree char *trusted = trust(mine, "trusted"), *strange = trust(other, "strange"), *empty = support_path("missing");
  g_autofree char *bare = support_small_file("bare.fovea", NULL), *with = support_small_file("signed.fovea", &(FvContainerParams){.sign_key = mine});
  const FvSignaturePolicy policies[] = {FV_SIGNATURE_OFF, FV_SIGNATURE_WARN};
  for (int i = 0; i < 2; i++) {
    support_expect(bare, &fv_model_params(.signature = policies[i], .trusted_keys = trusted), 0, NULL);
    support_expect(with, &fv_model_params(.signature = policies[i], .trusted_keys = strange), 0, NULL);
  }
  support_expect(with, &fv_model_params(.signature = FV_SIGNATURE_REQUIRE, .trusted_keys = trusted), 0, NULL);
  support_expect(with, &fv_model_params(.signature = FV_SIGNATURE_REQUIRE, .trusted_keys = strange), FV_ERR_CONFIG, "not among the trusted", NULL);
  support_expect(with, &fv_model_params(.signature = FV_SIGNATURE_REQUIRE, .trusted_keys = empty), FV_ERR_CONFIG, "not among the trusted", NULL);
  support_expect(bare, &fv_model_params(.signature = FV_SIGNATURE_REQUIRE, .trusted_keys = trusted), FV_ERR_CONFIG, "not signed", "fovea sign", NULL);
}

static void count_message(FvLogLevel level, const char *message, void *user) {
  if (level == FV_LOG_WARNING && strstr(message, "signed")) ++*(int *)user;
}

static void test_warnings(void) {
  g_autofree char *key = make_key("warner", FV_KEY_SIGNING), *trusted = trust(key, "warn-trusted");
  g_autofree char *bare = support_small_file("warn.fovea", NULL), *with = support_small_file("warn-signed.fovea", &(FvContainerParams){.sign_key = key});
  int warnings = 0;
  fv_log_set(count_message, &warnings, FV_LOG_WARNING);
  support_expect(bare, &fv_model_params(.trusted_keys = trusted), 0, NULL);
  g_assert_cmpint(warnings, ==, 1);
  support_expect(bare, &fv_model_params(.signature = FV_SIGNATURE_OFF), 0, NULL);
  support_expect(with, &fv_model_params(.trusted_keys = trusted), 0, NULL);
  g_assert_cmpint(warnings, ==, 1);
  support_expect(with, &fv_model_params(.trusted_keys = "/nonexistent"), 0, NULL);
  g_assert_cmpint(warnings, ==, 2);
  fv_log_set(NULL, NULL, FV_LOG_WARNING);
}

static void test_onnx_is_never_signed(void) {
  g_autofree char *path = support_path("plain.onnx");
  g_assert_true(g_file_set_contents(path, "anything", -1, NULL));
  support_expect(path, &fv_model_params(.signature = FV_SIGNATURE_REQUIRE), FV_ERR_CONFIG, "ONNX files are not signed", NULL);
}

static void test_sign(void) {
  g_autofree char *first = make_key("first", FV_KEY_SIGNING), *second = make_key("second", FV_KEY_SIGNING), *trusted = trust(second, "second-only");
  g_autofree char *path = support_small_file("sign.fovea", &(FvContainerParams){.sign_key = first});
  FvContainerInfo info;
  FvError err;
  g_assert_cmpint(fv_container_verify(path, trusted, &info, &err), ==, 0);
  g_assert_cmpint(info.signature, ==, FV_SIGNATURE_UNTRUSTED);
  g_assert_cmpstr(info.signer_name, ==, "");
  fv_container_info_finish(&info);
  g_assert_cmpint(fv_container_sign(path, second, &err), ==, 0);
  g_assert_cmpint(fv_container_verify(path, trusted, &info, &err), ==, 0);
  g_assert_cmpint(info.signature, ==, FV_SIGNATURE_TRUSTED);
  g_assert_cmpstr(info.signer_name, ==, "second");
  fv_container_info_finish(&info);
}

static void test_key_files(void) {
  g_autofree char *key = make_key("careful", FV_KEY_SIGNING), *stem = support_path("careful"), *wrong = make_key("wrong-kind", FV_KEY_ENCRYPTION);
  g_autofree char *path = support_small_file("key-files.fovea", NULL), *text = NULL;
  struct stat info;
  FvError err;
  g_assert_cmpint(stat(key, &info), ==, 0);
  g_assert_cmpint(info.st_mode & 0777, ==, 0600);
  g_assert_cmpint(fv_key_create(stem, FV_KEY_SIGNING, &err), ==, FV_ERR_IO); /* exists */
  g_assert_cmpint(fv_container_sign(path, wrong, &err), ==, FV_ERR_FORMAT);
  g_assert_nonnull(strstr(err.message, "not a secret ed25519 key"));
  g_assert_cmpint(g_chmod(key, 0640), ==, 0);
  g_assert_cmpint(fv_container_sign(path, key, &err), ==, FV_ERR_CONFIG);
  g_assert_nonnull(strstr(err.message, "chmod 600"));
  g_assert_true(g_file_get_contents(key, &text, NULL, NULL));
  g_auto(GStrv) words = g_strsplit(text, " ", 4);
  g_assert_null(strstr(err.message, words[2])); /* no secret in a message */
}

static void test_encryption(void) {
  g_autofree char *key = make_key("cipher", FV_KEY_ENCRYPTION), *other = make_key("other-cipher", FV_KEY_ENCRYPTION);
  g_setenv("FOVEA_MODEL_KEY_FILE", key, TRUE);
  g_autofree char *path = support_small_file("secret.fovea", &(FvContainerParams){.encrypt = true}), *clear = support_small_file("clear.fovea", NULL);
  FvModelParams params = fv_model_params(.signature = FV_SIGNATURE_OFF);
  FvModel *a = NULL, *b = NULL;
  g_assert_cmpint(fv_model_open(path, &params, &a, NULL), ==, 0);
  g_assert_cmpint(fv_model_open(clear, &params, &b, NULL), ==, 0);
  g_assert_cmpfloat(support_difference(a, b), ==, 0);
  fv_model_destroy(&a);
  fv_model_destroy(&b);
  g_setenv("FOVEA_MODEL_KEY_FILE", other, TRUE);
  support_expect(path, &params, FV_ERR_CONFIG, "section 'graph' cannot be decrypted", "another key", NULL);
  g_unsetenv("FOVEA_MODEL_KEY_FILE");
  support_expect(path, &params, FV_ERR_CONFIG, "section 'graph' is encrypted", "FOVEA_MODEL_KEY_FILE", NULL);
  g_setenv("FOVEA_MODEL_KEY", "abc", TRUE);
  support_expect(path, &params, FV_ERR_CONFIG, "64 hexadecimal digits", NULL);
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(key, &text, NULL, NULL));
  g_auto(GStrv) words = g_strsplit(text, " ", 4);
  g_setenv("FOVEA_MODEL_KEY", words[2], TRUE);
  support_expect(path, &params, 0, NULL);
  g_unsetenv("FOVEA_MODEL_KEY");
  FvContainerInfo info; /* without a key */
  g_assert_cmpint(fv_container_verify(path, NULL, &info, NULL), ==, 0);
  g_assert_true(info.sections[0].encrypted && info.sections[1].encrypted);
  fv_container_info_finish(&info);
}

static void test_policy_names(void) {
  g_assert_cmpint(fv_signature_policy_from_name("off"), ==, FV_SIGNATURE_OFF);
  g_assert_cmpint(fv_signature_policy_from_name("warn"), ==, FV_SIGNATURE_WARN);
  g_assert_cmpint(fv_signature_policy_from_name("require"), ==, FV_SIGNATURE_REQUIRE);
  g_assert_cmpint(fv_signature_policy_from_name("always"), ==, -1);
  g_assert_cmpint(fv_signature_policy_from_name(NULL), ==, -1);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_unsetenv("FOVEA_MODEL_KEY");
  g_unsetenv("FOVEA_MODEL_KEY_FILE");
  g_test_add_func("/container/keys/policies", test_policies);
  g_test_add_func("/container/keys/warnings", test_warnings);
  g_test_add_func("/container/keys/onnx-is-never-signed", test_onnx_is_never_signed);
  g_test_add_func("/container/keys/signing-again", test_sign);
  g_test_add_func("/container/keys/files", test_key_files);
  g_test_add_func("/container/keys/encryption", test_encryption);
  g_test_add_func("/container/keys/policy-names", test_policy_names);
  int result = g_test_run();
  support_finish();
  return result;
}
