// SPDX-License-Identifier: Apache-2.0
// ---- playing: decoded sounds in the audio clock, so that loops have no gap

// `asked`: something plays, or will as soon as it is decoded
const player = { context: null, source: null, gain: null, began: 0, heard: false, turn: 0, asked: false };
const decoded = new Map();

function sound(uri) {
  if (!decoded.has(uri)) {
    if (decoded.size > 3) decoded.delete(decoded.keys().next().value);
    const text = atob(uri.slice(uri.indexOf(",") + 1));
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    decoded.set(uri, player.context.decodeAudioData(bytes.buffer));
  }
  return decoded.get(uri);
}

async function play(uri, loop, ended) {
  const turn = stop();
  player.asked = true;
  try {
    player.context ||= new AudioContext();
    await player.context.resume();
    const buffer = await sound(uri);
    if (turn !== player.turn) return; // something else was asked for meanwhile
    begin(buffer, loop, ended);
  } catch (error) {
    if (turn === player.turn) player.asked = false;
    refresh();
    at("reason").textContent = `Please open the page in another browser, such as a new Firefox or Chrome. (${error.message})`;
    at("broken").hidden = false;
  }
}

function begin(buffer, loop, ended) {
  const { context } = player;
  const gain = new GainNode(context);
  const source = new AudioBufferSourceNode(context, { buffer, loop });
  source.connect(gain).connect(context.destination);
  source.onended = () => {
    if (player.source !== source) return;
    player.source = null;
    player.asked = false;
    player.heard = true; // a stopped one is no longer the player's
    ended();
  };
  source.start();
  Object.assign(player, { source, gain, began: context.currentTime });
  refresh();
  requestAnimationFrame(() => tick(source));
}

function stop() {
  if (player.source) {
    const now = player.context.currentTime;
    player.gain.gain.setTargetAtTime(0, now, FADE);
    player.source.stop(now + 6 * FADE);
    player.source = null;
  }
  player.asked = false;
  return ++player.turn;
}

function tick(source) {
  if (player.source !== source) return;
  const length = source.buffer.duration;
  const past = player.context.currentTime - player.began;
  at("position").style.transform = `scaleX(${(past % length) / length})`;
  if (past >= length && !player.heard) {
    player.heard = true;
    refresh();
  }
  requestAnimationFrame(() => tick(source));
}
