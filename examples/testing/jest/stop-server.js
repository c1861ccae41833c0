export default async function stopServer() {
  await globalThis.harness.stop();
}
