/** Keeps what goes wrong in one page in that page: the others stay, and it says what to do. */
import { Component, type ReactNode } from "react";
import { texts } from "../texts";
import { Button, Notice } from "../ui/parts";

interface BoundaryProps {
  /** Where one is: somewhere else is tried anew. */
  at: string;
  children: ReactNode;
}

interface BoundaryState {
  at: string;
  failed: boolean;
}

export class Boundary extends Component<BoundaryProps, BoundaryState> {
  override state: BoundaryState = { at: this.props.at, failed: false };

  static getDerivedStateFromError(): Partial<BoundaryState> {
    return { failed: true };
  }

  static getDerivedStateFromProps(
    { at }: BoundaryProps,
    before: BoundaryState,
  ): Partial<BoundaryState> | null {
    return at === before.at ? null : { at, failed: false };
  }

  override render(): ReactNode {
    if (!this.state.failed) {
      return this.props.children;
    }
    return (
      <Notice tone="bad" title={texts.broken.what}>
        <p>{texts.broken.next}</p>
        <p>
          <Button look="quiet" onClick={() => location.reload()}>
            {texts.broken.reload}
          </Button>
        </p>
      </Notice>
    );
  }
}
