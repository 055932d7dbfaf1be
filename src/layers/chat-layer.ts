/** A notifier that posts one message for each notification to an incoming webhook: the services differ only in its layout. */
import { z } from 'zod';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import { defineLayer, type LayerContext } from './layer.js';
import { type Notification, notificationOf } from './notification.js';
import { address, postJson } from './webhook-request.js';

const config = z.strictObject({ webhook: address });

/** @param messageOf the message as the service wants it, within its limits */
export function chatLayer(name: string, messageOf: (notification: Notification) => unknown) {
  const notify = async (payload: LifecyclePayload, context: LayerContext<z.output<typeof config>>): Promise<void> => {
    const notification = notificationOf(payload);
    if (notification !== undefined) await postJson(context, context.config.webhook, messageOf(notification));
  };
  return defineLayer({
    name,
    kind: 'notifier',
    mayFail: true,
    config,
    secrets: ['webhook'],
    on: { deploy: notify, deploy_succeeded: notify, deploy_failed: notify },
  });
}

/** As most services take colours. */
export const COLORS: Readonly<Record<Notification['kind'], string>> = {
  started: '#4a7ebb',
  succeeded: '#2eb67d',
  failed: '#e01e5a',
  'rolled back': '#e01e5a',
  interrupted: '#ecb22e',
};
